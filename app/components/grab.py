"""Handles on a selection that a plot is drawn with: plotly shows them only after a click, and until then it cannot be dragged."""

import streamlit as st

_JS = """
export default function ({ data }) {
  const grabbed = new WeakSet();
  const grab = () => {
    for (const plot of document.querySelectorAll(`.st-key-${data.plots} .js-plotly-plot`)) {
      const outline = plot.querySelector(".selectionlayer path");
      if (outline && !grabbed.has(plot)) { grabbed.add(plot); outline.dispatchEvent(new MouseEvent("click", { bubbles: true })); }
    }
  };
  grab();
  const watch = new MutationObserver(grab);
  watch.observe(document.body, { childList: true, subtree: true });
  return () => watch.disconnect();
}
"""


def grab_selection(*, plots: str, key: str) -> None:
    """Put handles on the first selection of every plot inside the container `plots`, whenever one is drawn anew.

    Args:
        plots: key of the container. key: of this component.
    """
    component = st.components.v2.component("grab_selection", html="<span></span>", js=_JS)
    component(data={"plots": plots}, key=key, height="content")
