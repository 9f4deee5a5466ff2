"""The form that starts a run."""

import uuid

import streamlit as st

from app import state
from app.asking import asked, outcome
from app.changing import hand_in
from app.components.again import again
from app.opened import runs
from app.parts.own_files import DATA, DETECTORS, OUTLIERS, own_data, own_detector, own_outliers
from app.parts.settings_form import advanced_settings
from badood.config import Config, load_config, preset_names, validate
from badood.core.errors import BadInput, BadOODError
from badood.core.progress import duration
from badood.explore.finished import Finished
from badood.pipeline.runs import check_name, new_id
from badood.store import jobs, open_database


def start_form() -> None:
    """Draw it; a run that was asked for is looked through and handed in."""
    names = preset_names()
    preset, name = st.columns([1, 1])
    chosen = preset.selectbox(
        "Preset",
        names,
        names.index("miniworld"),
        key="preset",
        help="A whole set of settings. miniworld renders its own images and needs nothing else.",
    )
    called = name.text_input(
        "Name", key="run name", placeholder="made from the settings", help="Letters, digits, '-', '_' and '.'."
    ).strip()
    named = _named_well(called)
    images, imported, detector = st.columns(3)
    source = images.selectbox("Training images", DATA, key="data source", help="In-distribution images, a folder for each class.")
    own = imported.selectbox(
        "Outliers of my own", OUTLIERS, key="outlier source", help="Images that another generator made, beside the preset's."
    )
    text = "The classifier whose energy tells ID from OOD. Your own is tuned a little further with the outliers, or never trained at all."
    mode = detector.selectbox("Detector", list(DETECTORS), format_func=DETECTORS.get, key="detector mode", help=text)
    data, brought, weights = own_data(source), own_outliers(own), own_detector(mode)
    cfg = load_config(chosen)
    overrides = weights.overrides + _main_settings(cfg, mode, generates=not brought.only)
    with st.expander("Advanced settings"):
        overrides += advanced_settings(cfg)
    _earlier(chosen)
    button, said = st.columns([1, 3], vertical_alignment="center")
    off = not named or any(part.lacking for part in (data, brought, weights))
    if button.button("Start the run", type="primary", icon=":material/play_arrow:", key="start run", disabled=off):
        try:
            wanted = brought.into(load_config(chosen, overrides, data.path, data.dataset))
            _ask(wanted, called)
        except BadOODError as error:
            said.error(str(error), icon=":material/error:")
    with said:
        st.fragment(_checked)()


def _earlier(preset: str) -> None:
    """How long finished runs of the preset took on this store's machines."""
    finished = [run for run in runs() if run.cfg.preset == preset and run.record["state"] == "done"]
    if finished:
        took = finished[0].record["totals"]["wall_seconds"]
        made = sum(Finished(finished[0]).counts.values())
        st.caption(f":material/schedule: The newest run of this preset, **{finished[0].id}**, took {duration(took)} for {made:,} outliers.")


def _named_well(name: str) -> bool:
    """Whether a run can be called so; said at once where it cannot."""
    try:
        if name:
            check_name(name)
    except BadInput as error:
        st.error(str(error), icon=":material/error:")
        return False
    return True


def _main_settings(cfg: Config, mode: str, *, generates: bool) -> list[str]:
    """Those that most people change.

    Args:
        mode: of the detector. generates: whether the preset's generator makes outliers.
    """
    count, scales, epochs = st.columns(3)
    # keys hold the preset: another preset has other values to begin with
    number = count.number_input(
        "Outliers",
        3,
        1_000_000,
        cfg.synthesise.count,
        step=100,
        key=f"{cfg.preset} count",
        help="Of the preset's generator, in all, spread evenly over scales and classes.",
        disabled=not generates,
    )
    pushed = scales.multiselect(
        "Guidance scales",
        [f"{scale:g}" for scale in sorted({0.0, 0.01, 0.025, 0.05, 0.075, 0.1, *cfg.synthesise.scales})],
        [f"{scale:g}" for scale in cfg.synthesise.scales],
        accept_new_options=True,
        key=f"{cfg.preset} scales",
        help="How hard outliers are pushed towards rare places. Paper: 0.025, 0.05 and 0.075.",
        disabled=not generates,
    )
    name = "tuned_epochs" if mode == "tuned" else "epochs"
    budget = epochs.number_input(
        "Detector epochs",
        0.1,
        1000.0,
        getattr(cfg.detector, name),
        step=1.0,
        format="%g",
        key=f"{cfg.preset} {name}",
        help="Passes over the training images. A detector that is taken as it is makes none.",
        disabled=mode == "as-is",
    )
    return [f"synthesise.count={number}", f"synthesise.scales=[{', '.join(pushed)}]", f"detector.{name}={budget}"]


def _ask(cfg: Config, name: str) -> None:
    """Have the companion look whether all that the run needs is there.

    Raises:
        BadInput: a finished run of that name has other settings.
    """
    run_id = name or new_id(cfg)
    before = next((run for run in runs() if run.id == run_id), None)
    if before is not None and before.record["state"] == "done" and new_id(before.cfg) != new_id(cfg):
        raise BadInput(f"Run {run_id} is finished and has other settings; choose another name, or delete that run first.")
    # of its own, so that an answer of a while ago, when a file was missing, is not given again
    state.put("handing in", {"config": cfg.model_dump(mode="json"), "name": run_id, "attempt": uuid.uuid4().hex})
    state.forget("refused")


def _checked() -> None:
    """What the companion says of the run that is to be handed in; hands it in where nothing is missing."""
    wish = state.value("handing in")
    if wish is not None:
        answer = asked("preflight", state.visitor(), config=wish["config"], attempt=wish["attempt"])
        if not answer.done():
            st.caption(":material/hourglass_top: Looking whether all is there: weights, images, parameters.")
            again(0.3, key="preflight again")
            return
        state.forget("handing in")
        _, problem = outcome(answer)
        state.put("refused", problem)
        if not problem:
            _submit(wish["config"], wish["name"])
    if state.value("refused"):
        st.error(f"Not started. {state.value('refused')}", icon=":material/error:")


def _submit(config: dict[str, object], run_id: str) -> None:
    if jobs.listed(open_database(), run_id=run_id, states=jobs.OPEN):
        st.info(f"Run {run_id} is under way already; equal settings are the same run.", icon=":material/info:")
        return
    hand_in("run", {"config": validate(config).model_dump(mode="json"), "name": run_id}, run_id)
    state.put("started", run_id)
    st.rerun()
