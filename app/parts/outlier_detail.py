"""One outlier in full: where it comes from, what it is like, what everybody says of it."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.asking import asked, outcome
from app.changing import may_edit, require_editor
from app.components.again import again
from app.opened import groups
from app.parts.examples import Example, outlier, strip
from app.server import id_url
from badood.core.errors import BadInput
from badood.explore import figures
from badood.explore.finished import Finished
from badood.explore.queries import origin, said
from badood.store import open_database, tags
from badood.store import verdicts as judging

_SCORES = {
    "id_confidence": "id_confidence (1 = looks ID)",
    "energy": "energy (nats, higher = more OOD)",
    "raw_score": "raw score (0..1, higher = more OOD)",
    "minority_score": "minority score (higher = rarer)",
    "harm": "harm (millionths of AUROC, positive = harmful)",
    "disagreement": "disagreement of retrained heads (nats)",
    "nearest_cosine": "cosine to the nearest training image (1 = a copy)",
    "clip_prob": "CLIP, its best class",
    "clip_anchor_prob": "CLIP, the anchor's class",
    "guidance_scale": "guidance scale",
    "t": "start t (diffusion steps)",
    "s": "renoise s (diffusion steps)",
    "seed": "seed",
}


def outlier_detail(found: Finished, outlier_id: int) -> None:
    """Open the view over the page."""
    st.dialog(f"Outlier {outlier_id}", width="large", on_dismiss=lambda: state.look_at(None))(_detail)(found, outlier_id)


def _detail(found: Finished, outlier_id: int) -> None:
    state.speak()
    try:
        row = pd.Series(found.outliers.row(outlier_id))
    except BadInput:  # a link from another run
        st.warning(f"Run {found.run.id} has no outlier {outlier_id}; it has {len(found.outliers):,}.", icon=":material/link_off:")
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        scale = row.get("guidance_scale")
        heading = [
            f"**{origin(row.drop('guidance_scale', errors='ignore'))}**",
            row.get("ood_type"),
            said(scale) and f"guidance scale {scale:g}",
        ]
        st.markdown(", ".join(str(part) for part in heading if part and said(part)))
        st.caption(_whence(found, row))
        strip([outlier(found, row, caption=f"CLIP: {row.clip_label}" if found.scored else ""), *_beside(found, row)], side=136)
        _judge(found, outlier_id)
        if found.scored:
            st.fragment(_recognised)(found, outlier_id)
        _family(found, outlier_id)
    with right:
        if found.scored:
            st.plotly_chart(_place(found, row.id_confidence), key="detail histogram", config={"displayModeBar": False})
        else:
            st.caption("No detector has looked at it yet: it has no id_confidence, no energy and no type.")
        _scores(row)
    _near(found, outlier_id)


def _whence(found: Finished, row: "pd.Series[Any]") -> str:
    """Source, file, original size and anchor, as far as they are known."""
    parts = [f"source {row['source']}"] if len(found.sources) > 1 or not found.generated else []
    parts += [f"{name.replace('_', ' ')} {row[name]}" for name in ("file", "anchor_id") if said(row.get(name))]
    if said(row.get("width")) and said(row.get("height")):
        parts.append(f"{row['width']:.0f} x {row['height']:.0f} px before it was resized")
    return " · ".join(parts)


def _beside(found: Finished, row: "pd.Series[Any]") -> list[Example]:
    """The image that it was made from; of one from elsewhere, the training image that is most alike."""
    if said(row.get("anchor_row")) and row["anchor_row"] >= 0:
        return [Example(id_url(found, int(row["anchor_row"])), "ID", f"anchor: {row['anchor_class']}")]
    if said(row.get("nearest_row")):
        return [Example(id_url(found, int(row["nearest_row"])), f"{row['nearest_cosine']:.2f}", "nearest ID image")]
    return []


def _family(found: Finished, outlier_id: int) -> None:
    """Its anchor's other outliers, where there are any."""
    rows = found.outliers.siblings(outlier_id)
    if len(rows) > 1:
        st.markdown("**The same anchor at every guidance scale**" if "guidance_scale" in rows else "**Of the same anchor**")
        scaled = ((each, getattr(each, "guidance_scale", None)) for each in rows.itertuples())
        strip((outlier(found, each, caption=f"scale {scale:g}" if said(scale) else "") for each, scale in scaled), side=84)


def _scores(row: "pd.Series[Any]") -> None:
    """Those that it has."""
    names = dict(_SCORES)
    if not said(row.get("anchor_class")):
        names["clip_anchor_prob"] = "CLIP, the best ID class"
    shown = [(text, f"{row[name]:.4g}") for name, text in names.items() if said(row.get(name))]
    if shown:
        st.dataframe(pd.DataFrame(shown, columns=["score", "value"]), hide_index=True, key="detail scores")


def _near(found: Finished, outlier_id: int) -> None:
    if not found.has("described"):
        st.caption("Nearest training images are not known: the run had no encoder, so nothing was embedded.")
        return
    if st.button(
        "More like this", icon=":material/grid_view:", key="more like", help="The outliers whose embeddings are most alike to this one's."
    ):
        state.look_at(None)
        state.be_like(outlier_id)
        st.rerun()
    st.markdown("**Nearest training images**, by cosine of the embeddings; near 1, it looks like a copy")
    near = found.neighbours(outlier_id).itertuples()
    strip((Example(id_url(found, each.row), f"{each.similarity:.2f}", each.anchor_class) for each in near), side=84)


def _place(found: Finished, confidence: float) -> go.Figure:
    scale = found.fitting_scale
    figure = figures.confidence_histogram(groups(found), id_quantile=found.id_quantile, mark=confidence, span=(scale.lo, scale.hi))
    return figure.update_layout(height=360, title="Where it sits", legend={"y": -0.28})


def _judge(found: Finished, outlier_id: int) -> None:
    """The verdict that stands, its note, and the tags."""
    past = judging.history(open_database(), found.run.id, outlier_id)
    standing = past[past["undone_at"].isna()]
    now, noted = (standing["verdict"].iloc[-1], standing["note"].iloc[-1]) if len(standing) else (None, "")
    note, fixed = f"note {outlier_id}", not may_edit()

    def give(verdict: judging.Verdict) -> None:
        require_editor()
        told = str(state.value(note, noted))
        judging.give(open_database(), found.run.id, [outlier_id], verdict, who=state.who(), note=told, origin=state.new_act())

    for place, verdict in zip(st.columns(3), judging.VERDICTS, strict=True):
        kind = "primary" if verdict == now else "secondary"
        place.button(
            verdict.capitalize(), key=f"detail {verdict}", type=kind, on_click=give, args=(verdict,), width="stretch", disabled=fixed
        )
    help_text = "Written down with the verdict, and exported beside it."
    st.text_input(
        "Note", noted, key=note, max_chars=500, placeholder="why", help=help_text, on_change=lambda: now and give(now), disabled=fixed
    )
    _tags(found, outlier_id)


def _tags(found: Finished, outlier_id: int) -> None:
    """Words to find it by: chosen of those of the run, or new ones."""
    database, run = open_database(), found.run.id
    all_tags = tags.current(database, run)
    having = all_tags.loc[all_tags["outlier_id"] == outlier_id, "tag"].tolist()
    key = f"tags {outlier_id}"

    def change() -> None:
        try:
            require_editor()
            for tag in set(state.value(key)) - set(having):
                tags.put(database, run, [outlier_id], tag, who=state.who())
        except BadInput as error:
            state.say(str(error), ":material/error:")
        else:
            for tag in set(having) - set(state.value(key)):
                tags.take_off(database, run, outlier_id, tag)

    known = sorted(set(all_tags["tag"]))
    st.multiselect(
        "Tags",
        known,
        having,
        key=key,
        accept_new_options=True,
        placeholder="a word to find it by",
        on_change=change,
        disabled=not may_edit(),
    )


def _recognised(found: Finished, outlier_id: int) -> None:
    """CLIP's best five names, when the companion has them."""
    st.markdown("**What CLIP sees**")
    answer = asked("recognised", state.visitor(), run=found.run.id, outlier=outlier_id)
    names, problem = outcome(answer)
    if problem:
        st.caption(f":material/error: {problem}")
    for name, probability in names or ():
        st.progress(min(1.0, probability), f"{name}: {100 * probability:.1f} %")
    if not answer.done():
        st.caption(":material/hourglass_top: Looking.")
        again(0.3, key="recognised again")
