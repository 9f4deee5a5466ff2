"""Step 8: scores -> numbers. Metrics, shift tables, CLIP types."""
