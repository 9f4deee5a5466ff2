"""Which names of folders and files tell the parts of a data set."""

import re
from typing import Literal

Part = Literal["train", "test", "validation"]

NAMES: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("validation", "val", "valid", "dev", "eval", "evaluation"),
}
_PARTS: dict[str, Part] = {name: part for part, names in NAMES.items() for name in names}
_NAME = re.compile(rf"({'|'.join(_PARTS)})[ _-]*(?:set|split|data|images)?")


def part_of_folder(name: str) -> Part | None:
    """The part that a folder of this name is, whatever its case: "Train", "VAL", "test_set"; None for any other name."""
    found = _NAME.fullmatch(name.casefold())
    return _PARTS[found[1]] if found else None


def part_of_file(stem: str) -> Part | None:
    """The part that a file's name tells by a word of its own: "train-00000-of-00004", "pets_Test", "validation"; the first one counts."""
    words = (_NAME.fullmatch(word) for word in re.split(r"[^a-z]+", stem.casefold()))
    return next((_PARTS[word[1]] for word in words if word), None)


def parts_for(split: str) -> tuple[Part, ...]:
    """The parts that can play a split, the best first: a validation part stands in for a test part."""
    return ("train",) if split == "train" else ("test", "validation")
