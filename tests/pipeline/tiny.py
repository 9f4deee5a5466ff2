"""What tests of the path are made of: photographs on disk, and runs that are counted."""

from pathlib import Path
from typing import Any

from PIL import Image

from badood.data import dataset

FOLDERS = ("selection", "detector", "evaluation")
"""Entries of a row that say where it lies."""

TINY_RDM = ["data.train.params.count=60", "rdm.width=16", "rdm.blocks=1", "rdm.time_width=8", "rdm.epochs=1", "rdm.batch_size=30"]
TINY = (
    *("encoder.backbone=test_resnet", "encoder.backbone_params={}", "encoder.image_size=32", "encoder.hidden=16", "encoder.dim=8"),
    *("encoder.batch_size=8", "encoder.epochs=1", *TINY_RDM[1:5], "rdm.batch_size=8"),
    *("tokenizer.channels=8", "tokenizer.multipliers=[1, 1, 2]", "tokenizer.code_dim=4", "tokenizer.codes=16", "tokenizer.epochs=1"),
    *("tokenizer.batch_size=8", "mage.width=16", "mage.depth=1", "mage.decoder_width=16", "mage.decoder_depth=1", "mage.epochs=1"),
    *("mage.batch_size=32", "clip.epochs=1", "decode.steps=2", "decode.draws=1"),
)
"""Settings of five models that learn in a second each, and nothing."""


def figures(record: dict[str, Any]) -> dict[str, Any]:
    """The filter table without the folders in which its rows lie."""
    return {name: {key: value for key, value in row.items() if key not in FOLDERS} for name, row in record["metrics"].items()}


def results(run: Path) -> dict[str, int]:
    """Number of finished results of every stage."""
    stages = [path for path in run.iterdir() if path.is_dir() and path.name[0] != "."]
    return {stage.name: len([path for path in stage.iterdir() if path.name[0] != "."]) for stage in stages}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with what is in it."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def photos(folder: Path, classes: list[str], count: int) -> Path:
    """A folder of PNG images, a subfolder a class."""
    images = dataset["miniworld"](None, "train", classes=classes, count=count * len(classes))
    for row, label in enumerate(images.labels):
        place = folder / classes[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images.read(row)).save(place / f"{row}.png")
    return folder
