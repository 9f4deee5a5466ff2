"""The method in seven steps, each with a picture from the run and the control that changes it."""

import numpy as np
import streamlit as st

from app import state
from app.asking import asked
from app.opened import calibrations, groups
from app.parts.examples import Example, outlier, strip
from app.parts.header import page_head
from app.server import id_url
from app.state import Band
from badood.core.errors import BadInput
from badood.explore import figures
from badood.explore.calibrations import calibration_curves
from badood.explore.finished import Finished
from badood.explore.queries import Filters

_PLOT = {"displaylogo": False, "displayModeBar": False}
_STEPS = {"decoded": "as it is", "noised": "with noise", "denoised": "denoised", "guided": "denoised with guidance"}


def page() -> None:
    found = page_head("Learn", "How outliers are made and chosen, in seven short steps. Every picture comes from the run you look at.")
    st.fragment(_making)(found)
    st.fragment(_energy)(found)
    st.fragment(_calibration)(found)
    st.fragment(_band)(found)


def _making(found: Finished) -> None:
    """Steps 1 to 4: one training image on its way to an outlier."""
    row, start, scale = _anchor(found)
    answer = asked("walk", state.visitor(), run=found.run.id, row=row, start=start, scale=scale)
    if not answer.done():
        st.fragment(_wait, run_every=0.4)(found, row, start, scale)
    shown, problem = None, ""
    if answer.done() and not answer.cancelled():
        try:
            shown = answer.result()
        except BadInput as error:
            problem = str(error)
    if problem:
        st.warning(f"These pictures need the run's models. {problem}", icon=":material/warning:")
    texts = {
        "noised": (
            "1. Noise",
            "The image becomes a short list of numbers, its embedding. Noise is added to it: the more steps t, the less is left.",
        ),
        "denoised": ("2. Denoise", "A diffusion model takes the noise away again. Without a push it comes back to something ordinary."),
        "guided": (
            "3. Guidance",
            "With a push towards rare places at every step it comes out somewhere unusual. The scale says how hard the push is.",
        ),
        "decoded": ("4. Decode", "A second model paints an image for every embedding. This is its painting of the untouched one."),
    }
    for place, (step, (title, text)) in zip(st.columns(4, gap="medium"), texts.items(), strict=True):
        with place, st.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            _picture(shown, step)
            st.caption(text)


def _anchor(found: Finished) -> tuple[int, int, float]:
    """The controls of steps 1 to 3."""
    total = len(found.anchors[1])
    image, t, scale = st.columns([1, 2, 2], gap="large", vertical_alignment="center")
    with image:
        row = int(st.number_input("Training image", 0, total - 1, 0, key="learn row", help=f"A row of the {total:,} training images."))
        strip([Example(id_url(found, row), "ID", found.classes[int(found.anchors[1][row])])], side=92)
    start = t.slider("Noise steps t (the paper: 300)", 10, 900, 300, 10, key="learn t")
    strength = scale.slider("Guidance scale (the paper: 0.025 to 0.075)", 0.0, 0.3, 0.05, 0.005, format="%.3f", key="learn scale")
    return row, start, strength


def _wait(found: Finished, row: int, start: int, scale: float) -> None:
    if asked("walk", state.visitor(), run=found.run.id, row=row, start=start, scale=scale).done():
        st.rerun()


def _picture(shown: dict | None, step: str) -> None:
    if shown is None:
        st.caption(":material/hourglass_top: Painting …")
        return
    part = shown["steps"][step]
    strip([Example(f"data:image/png;base64,{part['image']}", f"{part['id_confidence']:.2f}", _STEPS[step])], side=128)
    extra = f" {shown['signal']:.0%} of the signal is left." if step == "noised" else ""
    st.caption(f"Rarity {part['minority_score']:.2f} (minority score), energy {part['energy']:.1f}.{extra}")


def _energy(found: Finished) -> None:
    st.header("5. Energy")
    reference = found.reference
    known = reference.loc[reference["set"] == "validation", "energy"].to_numpy()
    odd = {
        "auxiliary OOD": reference.loc[reference["set"] == "auxiliary", "energy"].to_numpy(),
        "outliers": found.outliers.values("energy"),
    }
    left, right = st.columns([1, 2], gap="large")
    accepted = left.slider("Share of ID images to accept", 0.5, 0.99, 0.95, 0.01, key="learn accepted")
    limit = float(np.quantile(known, accepted))
    left.caption(
        "The detector gives every image one number, its energy: low for what it knows, high for what it does not. "
        "A threshold decides. The stricter it is with OOD, the more known images it loses."
    )
    for name, energy in odd.items():
        left.metric(f"{name} taken for ID", f"{(energy <= limit).mean():.0%}")
    figure = figures.score_densities({"ID validation": known, **odd}, "Energy of held-out images and outliers", limit=limit)
    right.plotly_chart(figure, key="learn energy", config=_PLOT)


def _calibration(found: Finished) -> None:
    st.header("6. Calibration")
    left, right = st.columns([1, 2], gap="large")
    _, fitted = calibrations(found)
    if not fitted:
        left.caption("This detector ranks ID and OOD the wrong way round, so nothing can be calibrated.")
        return
    used = found.run.cfg.calibrate.method
    name = left.segmented_control("Method", list(fitted), default=used if used in fitted else None, required=True, key="learn calibrator")
    chosen = name or next(iter(fitted))
    table = calibration_curves({chosen: fitted[chosen]}, found.reference["energy"].to_numpy())
    left.caption(
        "An energy means nothing to a person. Calibration bends it into id_confidence, the chance that an image is ID, "
        "by looking at held-out images of both kinds. The curve always falls: order is kept."
    )
    energies = found.outliers.values("energy")
    value = left.slider("Try an energy", float(energies.min()), float(energies.max()), float(np.median(energies)), key="learn one energy")
    left.metric("id_confidence", f"{fitted[chosen].id_confidence([value])[0]:.3f}")
    right.plotly_chart(figures.calibration_curves(table, chosen), key="learn curve", config=_PLOT)


def _band(found: Finished) -> None:
    st.header("7. Band")
    band = state.band(found)
    lo, hi = band.limits(found)
    left, right = st.columns([1, 2], gap="large")
    state.put("learn band", (round(lo, 3), round(hi, 3)))
    left.slider("Keep id_confidence from … to", 0.0, 1.0, step=0.001, format="%.3f", key="learn band", on_change=_move)
    left.caption(
        "Outliers that look like ID teach the detector to reject known images; outliers far away teach it nothing new. "
        "The band keeps what lies between. The detector is then trained again on what is kept: see the page Band."
    )
    filters = Filters(id_confidence=(lo, hi))
    left.metric("Outliers kept", f"{found.outliers.count(filters):,}")
    right.plotly_chart(
        figures.confidence_histogram(groups(found), (lo, hi), id_quantile=found.id_quantile), key="learn histogram", config=_PLOT
    )
    rows = found.outliers.page(filters, limit=2000)
    shown = rows.iloc[:: max(1, len(rows) // 10)].head(10)
    strip((outlier(found, row, caption=row.clip_label) for row in shown.itertuples()), side=84, empty="The band keeps nothing.")


def _move() -> None:
    lo, hi = state.value("learn band")
    state.set_band(Band(lo, hi))
