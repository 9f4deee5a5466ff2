"""The heart of the dashboard: move the band, see what it keeps, preview, retrain."""

from typing import Any

import streamlit as st

from app import state
from app.components.grab import grab_selection
from app.parts.band_handles import UNITS, band_handles, zoom
from app.parts.band_preview import preview, suggest
from app.parts.band_results import harm, results, sweep
from app.parts.examples import outlier, strip
from app.parts.export_menu import export_menu
from app.parts.header import page_head
from app.parts.job_status import job_status
from app.parts.mix_bars import mix_bars
from app.parts.outlier_filters import HARM
from app.parts.retrain import retrain_button
from app.parts.source_filter import source_filter
from app.state import Band
from badood.explore.figures.style import source_colours
from badood.explore.finished import Finished
from badood.explore.queries import Filters, said
from badood.filter import OVERLAP_LIMIT
from badood.store import open_database
from badood.store import verdicts as judging

_STICKY = """<style>
[data-testid=stLayoutWrapper]:has(> .st-key-band_strip) { position: sticky; bottom: 0; z-index: 5; }
.st-key-band_strip { padding: 8px 12px 10px; border: 1px solid color-mix(in srgb, currentColor 20%, transparent); border-radius: 8px;
  background: light-dark(#ffffff, #12171d); gap: .5rem; }
</style>"""


def page() -> None:
    found = page_head(
        "Band",
        "Keep only the outliers whose id_confidence lies in a band, then retrain the detector on them. "
        "id_confidence is 1 for images that look like the training images and 0 for images far away from them.",
    )
    st.fragment(_chooser)(found)
    grab_selection(plots="band_plot", key="band handles")
    job_status(found.run.id, ["retrain"])
    results(found)
    sweep(found)
    harm(found)


def _chooser(found: Finished) -> None:
    """All that moves with the band; the rest of the page stays as it is."""
    band = state.band(found)
    limits = band.limits(found)
    _controls(found, band)
    only = _sources(found)
    band_handles(found, band, limits, only)
    most = _most_harm(found)
    judged, restricted = _judged(found)
    filters = Filters(id_confidence=limits, source=only, harm=None if most is None else (found.harm_scale.lo, most), **judged)
    count = found.outliers.count(filters)
    chosen = band.filter(only, most) | restricted
    with st.container(key="band_strip"):  # in sight while one drags
        st.html(_STICKY)
        _numbers(found, filters, chosen, count, found.outliers.count(Filters(source=only)))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _edges(found, limits, only)
        export_menu(found, lambda: found.outliers.ids(filters), count, band=filters.id_confidence, key="band")
    with right:
        preview(found, chosen, count)
        _mixes(found, filters)


def _sources(found: Finished) -> tuple[str, ...]:
    """The sources that the band is taken of; none for all."""
    if len(found.sources) < 2:
        return ()
    left, right = st.columns([4, 3], vertical_alignment="bottom")
    only = source_filter(found, left, help="The band keeps outliers of these sources only, and Retrain trains on those. None chosen = all.")
    right.toggle("A histogram for each source", True, key="by source", bind="query-params", persist_state="session")
    return only


def _most_harm(found: Finished) -> float | None:
    """The harm that a kept outlier may have; none for any."""
    if "harm" not in found.outliers.known:
        return None
    scale = found.harm_scale
    if not scale.lo <= state.value("most harm", scale.hi) <= scale.hi:
        state.forget("most harm")  # left over from another run
    most = st.slider(
        "Only of at most this harm",
        scale.lo,
        scale.hi,
        scale.hi,
        step=scale.step,
        format=f"%.{scale.digits}f",
        key="most harm",
        help=f"{HARM} At the right end every outlier may take part.",
        bind="query-params",
        persist_state="session",
    )
    return None if most == scale.hi else most


def _judged(found: Finished) -> tuple[dict[str, tuple[int, ...]], dict[str, list[int]]]:
    """Which outliers may take part by their verdicts, as fields of `Filters` and as fields of `config.Filter`."""
    given = judging.current(open_database(), found.run.id)
    of = {verdict: given.loc[given["verdict"] == verdict, "outlier_id"].tolist() for verdict in ("keep", "reject")}
    choices = ["any"] + ["without the rejected"] * bool(of["reject"]) + ["kept only"] * bool(of["keep"])
    if len(choices) == 1:
        return {}, {}
    if state.value("judged", "any") not in choices:
        state.forget("judged")  # left over from another run, or taken back
    chosen = st.segmented_control(
        "Verdict",
        choices,
        default="any",
        required=True,
        key="judged",
        help=f"Whether the detector is trained on the {len(of['reject']):,} outliers that somebody rejected, or only on the {len(of['keep']):,} that "
        "somebody kept.",
        bind="query-params",
        persist_state="session",
    )
    if chosen == "kept only":
        return {"outlier_id": tuple(of["keep"])}, {"ids": of["keep"]}
    if chosen == "without the rejected":
        return {"without": tuple(of["reject"])}, {"without": of["reject"]}
    return {}, {}


def _mixes(found: Finished, filters: Filters) -> None:
    """Of which sources, types and classes the kept ones are."""
    if len(found.sources) > 1:
        mix = found.outliers.kept_mix("source", filters)
        mix_bars("Kept of each source", mix.set_index("source").loc[found.sources].reset_index(), tints=source_colours(found.sources))
    mix_bars("Kept of each type", found.outliers.kept_mix("ood_type", filters))
    for column, title in (("anchor_class", "Kept of each anchor's class"), ("class_name", "Kept of each class of their own")):
        if column in found.outliers.known:
            mix = found.outliers.kept_mix(column, filters)
            mix_bars(title, mix[[said(name) for name in mix[column]]])


def _controls(found: Finished, band: Band) -> None:
    unit, closer, suggested = st.columns([2, 2, 3], vertical_alignment="bottom")
    state.put("unit", band.unit)
    unit.segmented_control(
        "Limits are given in",
        list(UNITS),
        format_func=UNITS.get,
        key="unit",
        required=True,
        on_change=_change_unit,
        args=(found,),
        help="ID quantiles say where the limits lie among ID images: 0.05 is the confidence that 95 % of held-out ID images exceed. "
        "They mean the same in every run, id_confidence does not.",
    )
    with closer:
        zoom(found)
    with suggested:
        suggest(found)


def _change_unit(found: Finished) -> None:
    """The same band in the other unit."""
    band, unit = state.band(found), state.value("unit")
    if unit != band.unit:
        lo, hi = band.limits(found) if band.quantiles else found.quantiles(band.lo, band.hi)
        state.set_band(Band(round(lo, 5), round(hi, 5), unit))


def _numbers(found: Finished, filters: Filters, chosen: dict[str, Any], count: int, total: int) -> None:
    overlap, harm = found.overlap(filters), "harm" in found.outliers.known and count > 0
    kept, share, over, *more, act = st.columns([*[1] * (4 if harm else 3), 1.5], vertical_alignment="center")
    with act:
        retrain_button(found, filters, chosen, count)
    kept.metric("Kept", f"{count:,}", help="Outliers inside the band, both ends included.")
    share.metric("Share of all", f"{100 * count / max(1, total):.1f} %")
    over.metric(
        "Overlap with ID",
        f"{100 * overlap:.0f} %",
        help="Share of the kept outliers right of the dashed line: they look as much like ID as 95 % of held-out ID images do.",
    )
    if harm:
        more[0].metric("Mean harm", f"{found.outliers.values('harm', filters).mean():+.2g}", help=f"Of the kept outliers. {HARM}")
    if not count:
        st.error("This band keeps nothing. Widen it, or press Suggest.", icon=":material/block:")
    elif overlap > OVERLAP_LIMIT:
        st.warning(
            f"{100 * overlap:.0f} % of the kept outliers pass for ID. Trained as outliers they teach the detector to reject ID images. "
            "Lower the upper end.",
            icon=":material/warning:",
        )


def _edges(found: Finished, limits: tuple[float, float], only: tuple[str, ...]) -> None:
    rows = found.outliers.edges(*limits, source=only)
    for edge, name, limit in (("lo", "lower", limits[0]), ("hi", "upper", limits[1])):
        st.markdown(f"**Around the {name} end, {limit:.4g}.** Pale ones are left out.")
        near = rows[rows["edge"] == edge]
        strip((outlier(found, row, faded=not row.kept) for row in near.itertuples()), side=104, empty="No outlier lies near it.")
