"""One outlier in full: where it comes from, what it is like, what everybody says of it."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.asking import asked, outcome
from app.components.again import again
from app.opened import groups
from app.parts.examples import Example, outlier, strip
from app.server import id_url
from badood.core.errors import BadInput
from badood.explore import figures
from badood.explore.finished import Finished
from badood.store import open_database
from badood.store import verdicts as judging

_SCORES = {
    "id_confidence": "id_confidence (1 = looks ID)",
    "energy": "energy (nats, higher = odder)",
    "raw_score": "raw score (0..1, higher = odder)",
    "minority_score": "minority score (higher = rarer)",
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
    try:
        row = pd.Series(found.outliers.row(outlier_id))
    except BadInput as error:  # a link from another run
        st.error(str(error))
        return
    left, right = st.columns([2, 3], gap="medium")
    family = found.outliers.siblings(outlier_id).itertuples()
    with left:
        st.markdown(f"**{row.anchor_class}**, {row.ood_type}, guidance scale {row.guidance_scale:g}")
        source = Example(id_url(found, int(row.anchor_row)), "ID", f"anchor: {row.anchor_class}")
        strip([outlier(found, row, caption=f"CLIP: {row.clip_label}"), source], side=136)
        _judge(found, outlier_id)
        st.fragment(_recognised)(found, outlier_id)
        st.markdown("**The same anchor at every guidance scale**")
        strip((outlier(found, each, caption=f"scale {each.guidance_scale:g}") for each in family), side=84)
    with right:
        st.plotly_chart(_place(found, row.id_confidence), key="detail histogram", config={"displayModeBar": False})
        shown = [(text, f"{row[name]:.4g}") for name, text in _SCORES.items()]
        st.dataframe(pd.DataFrame(shown, columns=["score", "value"]), hide_index=True, key="detail scores")
    st.markdown("**Nearest training images**, by cosine of the embeddings")
    near = found.neighbours(outlier_id).itertuples()
    strip((Example(id_url(found, each.row), f"{each.similarity:.2f}", each.anchor_class) for each in near), side=84)
    st.caption(f"Anchor {row.anchor_id}")


def _place(found: Finished, confidence: float) -> go.Figure:
    scale = found.fitting_scale
    figure = figures.confidence_histogram(groups(found), id_quantile=found.id_quantile, mark=confidence, span=(scale.lo, scale.hi))
    return figure.update_layout(height=360, title="Where it sits", legend={"y": -0.28})


def _judge(found: Finished, outlier_id: int) -> None:
    past = judging.history(open_database(), found.run.id, outlier_id)
    standing = past[past["undone_at"].isna()]
    now = standing["verdict"].iloc[-1] if len(standing) else None

    def give(verdict: judging.Verdict) -> None:
        judging.give(open_database(), found.run.id, [outlier_id], verdict, who=state.who())

    for place, verdict in zip(st.columns(3), judging.VERDICTS, strict=True):
        kind = "primary" if verdict == now else "secondary"
        place.button(verdict.capitalize(), key=f"detail {verdict}", type=kind, on_click=give, args=(verdict,), width="stretch")


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
