"""ID images and outliers on a plane; a lasso hands outliers to the grid."""

import streamlit as st

from app import state
from app.mapping import METHODS, placed
from app.parts.examples import outlier, strip
from app.parts.export_menu import export_menu
from app.parts.header import page_head
from app.parts.source_filter import source_filter
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
    "nearest_cosine": "likeness to a training image",
}
_SHOWN = 48


def page() -> None:
    found = page_head(
        "Map",
        "Every dot is an outlier, every ring a training image. What the encoder finds alike lies close together. "
        "Draw a loop around dots to look at them.",
        early=True,
    )
    if not found.has("described"):
        _no_map(found)
        return
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
    if state.value("map colour", colours[0] if colours else None) not in colours:
        state.forget("map colour")  # left over from another run
    method = left.segmented_control(
        "Map by",
        list(METHODS),
        default="pca",
        format_func=METHODS.get,
        required=True,
        key="map method",
        help="PCA is a flat shadow of the embeddings, at once. t-SNE and UMAP keep neighbours together and take longer.",
    )
    colour = right.selectbox("Colour by", colours, format_func=_COLOURS.get, key="map colour")
    only = source_filter(found, sources)
    answer = placed(found, method)
    if not answer.done():
        st.info("Making the map. The page stays usable.", icon=":material/hourglass_top:")
        st.fragment(_wait, run_every=0.5)(found, method)
        return
    points = answer.result()
    if only:
        points = points[(points["kind"] == "ID") | points["source"].isin(only)]
    total = found.outliers.count(Filters(source=only))
    figure = figures.embedding_map(points, colour, source_colours(found.sources) if colour == "source" else None)
    key = f"map {found.run.id} {method} {colour}"
    drawn = st.plotly_chart(
        figure, key=key, on_select="rerun", selection_mode=("lasso", "box"), config={"displaylogo": False, "scrollZoom": True}
    )
    odd = int((points["kind"] == "outlier").sum())
    if odd < total:
        st.caption(f"{odd:,} of {total:,} outliers are drawn, evenly chosen.")
    _selected(found, points, drawn["selection"])


def _wait(found: Finished, method: str) -> None:
    if placed(found, method).done():
        st.rerun()


def _selected(found: Finished, points, selection) -> None:  # type: ignore[no-untyped-def]
    loops = [(loop["x"], loop["y"]) for loop in selection["lasso"]]
    loops += [
        ([box["x"][0], box["x"][1], box["x"][1], box["x"][0]], [box["y"][0], box["y"][0], box["y"][1], box["y"][1]])
        for box in selection["box"]
    ]
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
