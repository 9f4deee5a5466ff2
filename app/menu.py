"""The table of contents of the dashboard: its pages in the order of the menu. `main.py`, which serves it, has set the import path."""

from pathlib import Path

import streamlit as st

from app import state
from app.parts.job_status import job_indicator
from app.parts.login import require_login
from app.parts.run_picker import run_picker
from app.views import band, benchmark, calibration, compare, embedding_map, heatmaps, learn, ood_types, outliers, runs

# on a narrow page columns go below each other: Streamlit would cut what stands in them, figures too
_NARROW = """<style>
[data-testid=stMetricValue] > div, [data-testid=stMetricLabel] p { overflow: visible; text-overflow: clip; white-space: normal; }
@media (max-width: 1100px) {
  [data-testid=stHorizontalBlock] { flex-wrap: wrap; }
  [data-testid=stHorizontalBlock] > [data-testid=stColumn] { min-width: min(100%, 10.5rem); flex-grow: 1; }
  [data-testid=stHorizontalBlock] > [data-testid=stColumn]:has(> [data-testid=stVerticalBlock] > [data-testid=stElementContainer] > [data-testid=stMetric]) { min-width: 7.5rem; }
  [data-testid=stButtonGroup] > div { flex-wrap: wrap; }
}
</style>"""
BRAND = Path(__file__).parent / "brand"

PAGES = [
    st.Page(runs.page, title="Runs", icon=":material/play_circle:", url_path="runs", default=True),
    st.Page(outliers.page, title="Outliers", icon=":material/grid_view:", url_path="outliers"),
    st.Page(band.page, title="Band", icon=":material/tune:", url_path="band"),
    st.Page(calibration.page, title="Calibration", icon=":material/balance:", url_path="calibration"),
    st.Page(ood_types.page, title="Types", icon=":material/category:", url_path="types"),
    st.Page(heatmaps.page, title="Shift heatmaps", icon=":material/grid_on:", url_path="heatmaps"),
    st.Page(embedding_map.page, title="Map", icon=":material/scatter_plot:", url_path="map"),
    st.Page(compare.page, title="Compare", icon=":material/compare_arrows:", url_path="compare"),
    st.Page(benchmark.page, title="Benchmark", icon=":material/table_chart:", url_path="benchmark"),
    st.Page(learn.page, title="Learn", icon=":material/school:", url_path="learn"),
]

# an icon of our own: the browser would fetch one of Streamlit's from elsewhere
st.set_page_config("Bad-OOD Explorer", page_icon=BRAND / "mark.svg", layout="wide")
st.logo(BRAND / "logo.svg", icon_image=BRAND / "mark.svg", size="large")
st.html(_NARROW)
require_login()
page = st.navigation(PAGES, position="hidden")
state.put("grid_page", PAGES[1])
state.adopt_link()
with st.sidebar:
    for entry in PAGES:  # with the run and the band, so that a new tab shows the same
        st.page_link(entry, query_params=state.link(), width="stretch")
run_picker()
with st.sidebar:
    job_indicator()
page.run()
