"""What a visitor brings to a run: training images, outliers of other generators, a detector."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app.uploads import kept_file, kept_upload
from badood.config import Config, validate
from badood.core.errors import BadOODError
from badood.data.anywhere import source_of

_HERE = "A file or folder on this machine"

DATA = ("The preset's own", _HERE, "Upload a zip")

OUTLIERS = ("None", "Files or folders on this machine", "Upload")

DETECTORS = {
    "scratch": "Trained from scratch",
    "tuned": "My weights, tuned",
    "as-is": "My weights, as they are",
}

_KINDS = ["zip", "parquet", "npy", "npz", "tar"]
_FETCHED = ("timm:", "hf_hub:", "torchvision:")


@dataclass(frozen=True)
class Data:
    """Training images: where they lie and what reads them; `lacking` while a visitor has not said it."""

    path: Path | None = None
    dataset: str | None = None
    lacking: bool = False


def own_data(choice: str) -> Data:
    """Draw the field that a choice of `DATA` needs."""
    if choice == DATA[0]:
        return Data()
    path = _typed_data() if choice == _HERE else _uploaded_data()
    if path is None:
        return Data(lacking=True)
    if _there(path) and path.is_dir() and any(path.glob("cifar-*")):
        return Data(path)  # as torchvision unpacks them, which only the preset's own reader knows
    try:
        return Data(path, source_of(path).dataset)
    except BadOODError as error:
        st.error(str(error), icon=":material/error:")
        return Data(lacking=True)


def _typed_data() -> Path | None:
    text = "A folder with a subfolder of images for each class, or parquet files. Parts called train and test are taken as such."
    path = st.text_input("File or folder", key="data folder", placeholder="/path/to/images", help=text)
    return Path(path.strip()).expanduser() if path.strip() else None


def _uploaded_data() -> Path | None:
    text = "A zip with a folder of images for each class. It stays on this machine, in the store."
    archive = st.file_uploader("Zip of images", "zip", key="data archive", help=text)
    try:
        return kept_upload(archive) if archive is not None else None
    except BadOODError as error:
        st.error(str(error), icon=":material/error:")
        return None


@dataclass(frozen=True)
class Brought:
    """Outliers of other generators: by name their path; `only`: the preset's generator is left out; `lacking` as in `Data`."""

    paths: dict[str, Path]
    only: bool = False
    lacking: bool = False

    def into(self, cfg: Config) -> Config:
        """The settings with these sources."""
        if not self.paths:
            return cfg
        content = cfg.model_dump()
        before = [] if self.only else content["outliers"]
        taken = [entry["name"] for entry in before]
        added: list[dict[str, Any]] = []
        for name, path in self.paths.items():
            free = next(each for each in (name, *(f"{name}-{number}" for number in range(2, 1000))) if each not in taken)
            taken.append(free)
            added.append({"name": free, "source": "imported", "params": {"path": str(path.resolve())}})
        return validate(content | {"outliers": before + added}, source="outliers of your own")


def own_outliers(choice: str) -> Brought:
    """Draw the fields that a choice of `OUTLIERS` needs."""
    if choice == OUTLIERS[0]:
        return Brought({})
    paths = _typed_outliers() if choice == OUTLIERS[1] else _uploaded_outliers()
    text = (
        "Then no encoder, diffusion model or decoder is needed. With an encoder there are a map and nearest training images all the same."
    )
    only = st.checkbox("Leave the preset's generator out", key="only imported", help=text)
    return Brought(paths, only, lacking=not paths)


def _typed_outliers() -> dict[str, Path]:
    text = "One a line: a folder of images, parquet, tar, .npy or .npz. Each is a source of its own, named after it."
    lines = st.text_area("Files or folders, one a line", key="outlier paths", placeholder="/path/to/outliers", help=text, height=80)
    places = [Path(line.strip()).expanduser() for line in lines.splitlines() if line.strip()]
    for place in places:
        if not _there(place):
            st.error(f"{place} does not exist on this machine.", icon=":material/error:")
    return _named({str(place): place for place in places}) if all(map(_there, places)) else {}


def _uploaded_outliers() -> dict[str, Path]:
    text = "A zip of images, parquet, .npy, .npz or tar; each is a source of its own. They stay on this machine, in the store."
    files = st.file_uploader("Files of outliers", _KINDS, accept_multiple_files=True, key="outlier files", help=text)
    try:
        return _named({file.name: kept_file(file, file.name) for file in files})
    except BadOODError as error:
        st.error(str(error), icon=":material/error:")
        return {}


def _named(places: dict[str, Path]) -> dict[str, Path]:
    """Sources by the last part of what a visitor calls them."""
    found: dict[str, Path] = {}
    for called, place in places.items():
        own = Path(called).name if place.is_dir() and not called.lower().endswith(".zip") else Path(called).stem
        own = own.strip().replace("/", "-")[:80] or "imported"
        found[next(each for each in (own, *(f"{own}-{number}" for number in range(2, 1000))) if each not in found)] = place
    return found


@dataclass(frozen=True)
class Weights:
    """Overrides for a detector of the visitor's own; `lacking` as in `Data`."""

    overrides: list[str]
    lacking: bool = False


def own_detector(mode: str) -> Weights:
    """Draw the fields that a mode of `DETECTORS` needs."""
    if mode == "scratch":
        return Weights([])
    left, right = st.columns(2)
    text = "A file on this machine, a folder as timm writes it, or a name to fetch: timm:resnet18.a1_in1k, hf_hub:owner/name, torchvision:resnet50."
    typed = left.text_input("Weights of the detector", key="detector path", placeholder="/path/to/weights.pt", help=text).strip()
    upload = right.file_uploader("Or upload them", ["pt", "pth", "th", "ckpt", "safetensors", "bin", "tar"], key="detector file")
    try:
        place = str(kept_file(upload, upload.name)) if upload is not None else typed
    except BadOODError as error:
        st.error(str(error), icon=":material/error:")
        place = ""
    if not place:
        return Weights([], lacking=True)
    if not place.startswith(_FETCHED):
        path = Path(place).expanduser().absolute()
        if not _there(path):
            st.error(f"{path} does not exist on this machine.", icon=":material/error:")
            return Weights([], lacking=True)
        place = str(path)
    # the file says of which network it is; an override of the advanced settings comes later and wins
    return Weights([f"detector.mode={mode}", f"detector.weights={_quoted(place)}", "detector.backbone=auto"])


def _quoted(text: str) -> str:
    """As a YAML string, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a null byte
        return False
