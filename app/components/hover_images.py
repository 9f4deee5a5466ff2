"""Images beside the pointer over a plot: plotly's own labels cannot hold any."""

from collections.abc import Mapping, Sequence

import streamlit as st

_CSS = """
.tip { position: fixed; z-index: 1000; pointer-events: none; display: none; padding: 6px; border-radius: 8px; gap: 4px;
  grid-template-columns: repeat(var(--across, 4), 72px); background: var(--st-background-color); border: 1px solid var(--st-border-color);
  box-shadow: 0 4px 18px rgba(0, 0, 0, .25); }
.tip img { width: 72px; height: 72px; border-radius: 4px; display: block; }
"""

_JS = """
export default function ({ data, parentElement }) {
  let tip = parentElement.querySelector(".tip");
  if (!tip) { tip = document.createElement("div"); tip.className = "tip"; parentElement.appendChild(tip); }
  const show = (event) => {
    const point = event.points[0];
    const cell = () => data.images[`${Math.round(point.y)} ${Math.round(point.x)}`] || [];
    const images = data.urls ? (point.customdata ? [data.urls.replace(data.number, point.customdata[0])] : []) : cell();
    tip.replaceChildren(...images.map((url) => { const i = document.createElement("img"); i.src = url; return i; }));
    tip.style.setProperty("--across", Math.min(4, images.length));
    tip.style.display = images.length ? "grid" : "none";
    const { clientX, clientY } = event.event;
    const wide = Math.min(4, images.length) * 76 + 20;
    tip.style.left = `${Math.min(clientX + 16, window.innerWidth - wide)}px`;
    tip.style.top = `${clientY + 150 > window.innerHeight ? clientY - 150 : clientY + 52}px`;
  };
  const hide = () => { tip.style.display = "none"; };
  const known = new Set();
  const attach = () => {
    for (const plot of document.querySelectorAll(`.st-key-${data.plots} .js-plotly-plot`)) {
      if (!known.has(plot) && plot.on) { known.add(plot); plot.on("plotly_hover", show); plot.on("plotly_unhover", hide); }
    }
  };
  // plots are drawn, and drawn anew, at times that nobody tells this component
  attach();
  const watch = new MutationObserver(attach);
  watch.observe(document.body, { childList: true, subtree: true });
  return () => {
    watch.disconnect();
    for (const plot of known) { plot.removeListener("plotly_hover", show); plot.removeListener("plotly_unhover", hide); }
    tip.remove();
  };
}
"""


def hover_images(images: Mapping[tuple[int, int], Sequence[str]], *, plots: str, key: str) -> None:
    """Show images while the pointer is over a cell of the plots inside the container `plots`.

    Args:
        images: addresses by (y, x) of the cell. plots: key of the container. key: of this component.
    """
    _component({"images": {f"{y} {x}": list(urls) for (y, x), urls in images.items()}}, plots, key)


def hover_image(urls: str, number: str, *, plots: str, key: str) -> None:
    """Show an image while the pointer is over a dot of the plots inside the container `plots`.

    Args:
        urls: address of any image. number: what in it stands for the first entry of a dot's customdata. plots, key: as for `hover_images`.
    """
    _component({"urls": urls, "number": number}, plots, key)


def _component(data: Mapping[str, object], plots: str, key: str) -> None:
    st.components.v2.component("hover_images", html="<div></div>", css=_CSS, js=_JS)(data={"plots": plots, **data}, key=key)
