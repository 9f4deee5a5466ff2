"""Step 9: a finished run -> what a person sees. Queries, plotly figures, maps, exports, reports."""
