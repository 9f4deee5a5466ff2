"""Steps 1 to 4 of the lesson: one training image on its way to an outlier, painted by the companion."""

from typing import Any

import streamlit as st

from app import state
from app.asking import asked, outcome
from app.components.again import again
from app.parts.examples import Example, strip
from app.server import id_url
from badood.explore.figures.style import mark_text
from badood.explore.finished import Finished

_STEPS = {
    "decoded": (
        "1. Encode",
        "as it is",
        "The encoder (MoCo v3) makes a short vector of the image, its embedding z0; the decoder (MAGE) paints an image for any embedding. This is its "
        "painting of the untouched one. It paints the next three, too.",
    ),
    "noised": (
        "2. Noise",
        "with noise",
        "Gaussian noise is added to the embedding: the more steps t, the less of it is left.",
    ),
    "denoised": (
        "3. Denoise",
        "denoised",
        "A diffusion model of embeddings (RDM) takes the noise away again, step by step (DDIM). What comes back is an ordinary ID embedding; after much "
        "noise it need not be of the same class.",
    ),
    "guided": (
        "4. Minority guidance",
        "denoised with guidance",
        "At every step the embedding is also pushed to where the diffusion model restores badly: to regions of low likelihood. The scale says how hard. "
        "The result is an outlier.",
    ),
}
"""Title, caption of the picture and text of every step."""


def walked_steps(found: Finished) -> None:
    """Draw the controls and the four pictures. Called in a fragment, which is drawn again until they are painted."""
    if not found.generated or not found.has("encoded"):
        why = "were imported, not made" if not found.generated else "have no embeddings, because there was no encoder"
        st.info(
            f"Steps 1 to 4, in which an outlier is made from a training image, cannot be shown: the outliers of run **{found.run.id}** {why}. "
            "Choose a run with a generator to see them. The steps below hold for outliers from anywhere.",
            icon=":material/info:",
        )
        return
    row, start, scale = _controls(found)
    answer = asked("walk", state.visitor(), run=found.run.id, row=row, start=start, scale=scale)
    shown, problem = outcome(answer)
    if problem:
        st.warning(f"These pictures need the run's models. {problem}", icon=":material/warning:")
    for place, (step, (title, caption, text)) in zip(st.columns(4, gap="medium"), _STEPS.items(), strict=True):
        with place, st.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            _picture(shown, step, caption)
            st.caption(text)
    if not answer.done():
        again(0.4, key="steps again")


def _controls(found: Finished) -> tuple[int, int, float]:
    total = len(found.anchors[1])
    image, t, scale = st.columns([1, 2, 2], gap="large", vertical_alignment="center")
    with image:
        row = int(
            st.number_input(
                "Training image", 0, total - 1, 0, key="learn row", bind="query-params", help=f"A row of the {total:,} training images."
            )
        )
        strip([Example(id_url(found, row), "ID", found.classes[int(found.anchors[1][row])])], side=92)
    start = t.slider("Noise steps t (the paper: 300)", 10, 900, 300, 10, key="learn t", bind="query-params")
    strength = scale.slider(
        "Guidance scale (the paper: 0.025 to 0.075)", 0.0, 0.3, 0.05, 0.005, format="%.3f", key="learn scale", bind="query-params"
    )
    return row, start, strength


def _picture(shown: dict[str, Any] | None, step: str, caption: str) -> None:
    if shown is None:
        st.caption(":material/hourglass_top: Painting …")
        return
    part = shown["steps"][step]
    strip([Example(f"data:image/png;base64,{part['image']}", mark_text(part["id_confidence"]), caption)], side=128)
    # of a noised embedding the minority score says nothing: it is the noise that is restored
    rarity = f"{100 * shown['signal']:.0f} % of the signal is left" if step == "noised" else f"Minority score {part['minority_score']:.2f}"
    st.caption(f"{rarity}, energy {part['energy']:.1f}.")
