"""ID images and outliers on a plane; a lasso hands outliers to the grid."""

import pandas as pd
import streamlit as st

from app import state
from app.components.hover_images import hover_image
from app.mapping import METHODS, MOST, placed
from app.parts.examples import outlier, strip
from app.parts.export_menu import export_menu
from app.parts.header import page_head
from app.parts.outlier_detail import outlier_detail
from app.parts.source_filter import source_filter
from app.server import NUMBER, outlier_urls
from badood.core.rows import evenly
from badood.explore import figures
from badood.explore.embedding_map import inside
from badood.explore.figures.style import source_colours
from badood.explore.finished import Finished
from badood.explore.queries import Filters, origin

_COLOURS = {
    "id_confidence": "id_confidence",
    "source": "source",
    "ood_type": "type",
    "anchor_class": "class of the anchor",
    "minority_score": "minority score",
    "harm": "harm",
    "disagreement": "disagreement of retrained heads",
    "nearest_cosine": "likeness to a training image",
}
_AXES = {
    "id_confidence": "id_confidence (1 = looks ID)",
    "harm": "harm (millionths of AUROC)",
    "disagreement": "disagreement of retrained heads (nats)",
    "minority_score": "minority score (higher = rarer)",
    "nearest_cosine": "cosine to the nearest training image",
    "clip_prob": "CLIP's probability of its best class",
    "clip_anchor_prob": "CLIP's probability of the anchor's class",
    "energy": "energy (nats, higher = more OOD)",
    "guidance_scale": "guidance scale",
}
_SCORES = "scores"
_SHOWN = 48
_BOUND = {"bind": "query-params", "persist_state": "session"}


def page() -> None:
    found = page_head(
        "Map",
        "Every dot is an outlier, every ring an ID training image. What the encoder finds alike lies close together; or choose two scores as axes. "
        "Draw a loop around dots to look at them, click one to open it.",
        early=True,
    )
    st.fragment(_map)(found)


def _no_map(found: Finished) -> None:
    cfg = found.run.cfg
    st.info(
        f"Run **{found.run.id}** has no map: its outliers {'were imported and ' * (not found.generated)}have no embeddings, because there was "
        f"no encoder. Its weights were looked for at `{cfg.encoder.weights or f'{cfg.weights}/encoder.safetensors'}`. With an encoder "
        "(`python -m badood train encoder`, or the setting encoder.weights) every source of outliers is embedded.",
        icon=":material/scatter_plot:",
    )


def _map(found: Finished) -> None:
    left, right, sources = st.columns(3, vertical_alignment="top")
    several = len(found.sources) > 1
    colours = [name for name in _COLOURS if name in found.outliers.known and (name != "source" or several)]
    offered = [*(METHODS if found.has("described") else []), *([_SCORES] if len(_numeric(found)) > 1 else [])]
    if not found.has("described"):
        _no_map(found)
    if not offered:
        return
    for key, choices in (("map colour", colours), ("map method", offered)):
        if state.value(key, choices[0] if choices else None) not in choices:
            state.forget(key)  # left over from another run
    method = left.segmented_control(
        "Map by",
        offered,
        default=offered[0],
        format_func=(METHODS | {_SCORES: "two scores"}).get,
        required=True,
        key="map method",
        help="PCA is a flat shadow of the embeddings, at once. t-SNE and UMAP keep neighbours together and take longer.",
        **_BOUND,
    )
    colour = right.selectbox("Colour by", colours, format_func=_COLOURS.get, key="map colour", **_BOUND)
    only = source_filter(found, sources)
    if method == _SCORES:
        points, axes = _scores(found)
    else:
        answer, axes = placed(found, method), None
        if not answer.done():
            st.info("Making the map. The page stays usable.", icon=":material/hourglass_top:")
            st.fragment(_wait, run_every=0.5)(found, method)
            return
        points = answer.result()
    if only:
        points = points[(points["kind"] == "ID") | points["source"].isin(only)]
    total = found.outliers.count(Filters(source=only))
    figure = figures.embedding_map(points, colour, source_colours(found.sources) if colour == "source" else None, axes)
    key = f"map {found.run.id} {method} {colour}{axes or ''}"
    with st.container(key="map_plot"):
        drawn = st.plotly_chart(
            figure,
            key=key,
            on_select="rerun",
            selection_mode=("points", "lasso", "box"),
            config={"displaylogo": False, "scrollZoom": True},
        )
    hover_image(outlier_urls(found), NUMBER, plots="map_plot", key="map images")
    shown = int((points["kind"] == "outlier").sum())
    if shown < total:
        st.caption(f"{shown:,} of {total:,} outliers are drawn, evenly chosen.")
    _selected(found, points, drawn["selection"])


def _numeric(found: Finished) -> list[str]:
    """Scores that can be axes."""
    return [name for name in _AXES if name in found.outliers.known]


def _scores(found: Finished) -> tuple[pd.DataFrame, tuple[str, str]]:
    """Outliers by two scores, as a map's points, and what the axes are."""
    offered = _numeric(found)
    chosen = []
    for place, (key, label, first) in zip(st.columns(2), (("map x", "Across", 0), ("map y", "Upward", 1)), strict=True):
        if state.value(key, offered[0]) not in offered:
            state.forget(key)  # left over from another run
        chosen.append(place.selectbox(label, offered, first, format_func=_AXES.get, key=key, **_BOUND))
    table = found.outliers.at(evenly(len(found.outliers), MOST))
    points = table.assign(kind="outlier", id=table["outlier_id"], x=table[chosen[0]], y=table[chosen[1]])
    return points, (_AXES[chosen[0]], _AXES[chosen[1]])


def _wait(found: Finished, method: str) -> None:
    if placed(found, method).done():
        st.rerun()


def _clicked(found: Finished, outlier_id: int) -> None:
    """One outlier, with the way to all that is known of it."""
    row = found.outliers.page(Filters(outlier_id=(outlier_id,)), sort="outlier_id").iloc[0]
    strip([outlier(found, row, caption=origin(row))], side=136)
    details, alike = st.columns([1, 4])
    if details.button("Details", icon=":material/open_in_full:", key="map details"):
        outlier_detail(found, outlier_id)
    if found.has("described") and alike.button("More like this", icon=":material/grid_view:", key="map like"):
        state.show_in_grid(like=str(outlier_id))


def _selected(found: Finished, points, selection) -> None:  # type: ignore[no-untyped-def]
    loops = [(loop["x"], loop["y"]) for loop in selection["lasso"]]
    loops += [
        ([box["x"][0], box["x"][1], box["x"][1], box["x"][0]], [box["y"][0], box["y"][0], box["y"][1], box["y"][1]])
        for box in selection["box"]
    ]
    clicked = [point["customdata"][0] for point in selection["points"]] if not loops else []
    if len(clicked) == 1:
        _clicked(found, int(clicked[0]))
        return
    if not loops:
        st.caption("Nothing is selected. Drag on the map to draw a loop; double-click to clear it.")
        return
    # loops may overlap
    ids = tuple(sorted({int(number) for xs, ys in loops for number in inside(points, xs, ys)}))
    st.subheader(f"{len(ids):,} outliers inside the {'loop' if len(loops) == 1 else 'loops'}")
    if not ids:
        return
    filters = Filters(outlier_id=ids)
    grid, export = st.columns([1, 3], vertical_alignment="center")
    if grid.button("Open in the grid", icon=":material/grid_view:", type="primary"):
        state.open_in_grid(ids)
    with export:
        export_menu(found, lambda: found.outliers.ids(filters), len(ids), key="map")
    by = "id_confidence" if found.scored else "outlier_id"
    rows = found.outliers.page(filters, sort=by, limit=_SHOWN)
    strip(outlier(found, row, caption=getattr(row, "clip_label", origin(row))) for row in rows.itertuples())
    if len(ids) > _SHOWN:
        st.caption(f"The {_SHOWN} with the lowest {by if found.scored else 'numbers'} are shown; the grid shows all.")
