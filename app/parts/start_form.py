"""The form that starts a run."""

from pathlib import Path

import streamlit as st

from app import state
from app.parts.settings_form import advanced_settings
from app.uploads import kept_upload
from app.workers import ensure_worker
from badood.config import Config, load_config, preset_names
from badood.core.errors import BadOODError
from badood.jobs import queue
from badood.pipeline.runs import new_id
from badood.store import jobs, open_database

_DATA = ("The preset's own", "A folder on this machine", "Upload a zip")


def start_form() -> None:
    """Draw it; a run that was asked for is handed in."""
    names = preset_names()
    preset, data, name = st.columns(3)
    chosen = preset.selectbox(
        "Preset",
        names,
        names.index("miniworld"),
        key="preset",
        help="A whole set of settings. miniworld renders its own images and needs nothing else.",
    )
    source = data.selectbox("Training images", _DATA, key="data source", help="In-distribution images, a folder for each class.")
    called = name.text_input("Name", key="run name", placeholder="made from the settings", help="Letters, digits, '-', '_' and '.'.")
    folder = _folder(source)
    cfg = load_config(chosen)
    overrides = _main_settings(cfg)
    with st.expander("Advanced settings"):
        overrides += advanced_settings(cfg)
    if st.button(
        "Start the run", type="primary", icon=":material/play_arrow:", key="start run", disabled=source != _DATA[0] and not folder
    ):
        try:
            _submit(load_config(chosen, overrides, folder, "folder" if folder else None), called.strip())
        except BadOODError as error:
            st.error(str(error), icon=":material/error:")


def _folder(source: str) -> Path | None:
    """Where own images lie; None = the preset's own, or none given yet."""
    if source == _DATA[1]:
        path = st.text_input("Folder", key="data folder", placeholder="/path/to/images", help="With a subfolder of images for each class.")
        return Path(path).expanduser() if path.strip() else None
    if source == _DATA[2]:
        text = "A zip with a folder of images for each class. It stays on this machine, in the store."
        archive = st.file_uploader("Zip of images", "zip", key="data archive", help=text)
        if archive is not None:
            try:
                return kept_upload(archive)
            except BadOODError as error:
                st.error(str(error), icon=":material/error:")
    return None


def _main_settings(cfg: Config) -> list[str]:
    count, scales, epochs = st.columns(3)
    # keys hold the preset: another preset has other values to begin with
    number = count.number_input(
        "Outliers",
        3,
        1_000_000,
        cfg.synthesise.count,
        step=100,
        key=f"{cfg.preset} count",
        help="In all, spread evenly over scales and classes.",
    )
    pushed = scales.multiselect(
        "Guidance scales",
        [f"{scale:g}" for scale in sorted({0.0, 0.01, 0.025, 0.05, 0.075, 0.1, *cfg.synthesise.scales})],
        [f"{scale:g}" for scale in cfg.synthesise.scales],
        accept_new_options=True,
        key=f"{cfg.preset} scales",
        help="How hard outliers are pushed towards rare places. Paper: 0.025, 0.05 and 0.075.",
    )
    budget = epochs.number_input(
        "Detector epochs",
        0.1,
        1000.0,
        cfg.detector.epochs,
        step=1.0,
        format="%g",
        key=f"{cfg.preset} epochs",
        help="Passes over the training images.",
    )
    return [f"synthesise.count={number}", f"synthesise.scales=[{', '.join(pushed)}]", f"detector.epochs={budget}"]


def _submit(cfg: Config, name: str) -> None:
    run_id = name or new_id(cfg)
    if jobs.listed(open_database(), run_id=run_id, states=jobs.OPEN):
        st.info(f"Run {run_id} is under way already; equal settings are the same run.", icon=":material/info:")
        return
    ensure_worker()
    queue.submit("run", {"config": cfg.model_dump(mode="json"), "name": run_id}, run_id)
    state.put("started", run_id)
    st.rerun()
