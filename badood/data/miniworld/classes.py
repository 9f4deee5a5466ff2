"""Class names of MiniWorld and their groups."""

from collections.abc import Sequence

from badood.core.errors import BadInput
from badood.data.miniworld.foreign_objects import AUXILIARY, FAR, NEAR
from badood.data.miniworld.id_objects import ID_PAINTERS

ID_CLASSES = tuple(ID_PAINTERS)
AUXILIARY_CLASSES = tuple(AUXILIARY)
NEAR_CLASSES = tuple(NEAR)
FAR_CLASSES = tuple(FAR)
FOREIGN_CLASSES = AUXILIARY_CLASSES + NEAR_CLASSES + FAR_CLASSES

GROUPS: dict[str, tuple[str, ...]] = {
    "id": ID_CLASSES,
    "auxiliary": AUXILIARY_CLASSES,
    "near": NEAR_CLASSES,
    "far": FAR_CLASSES,
    "foreign": FOREIGN_CLASSES,
}
"""auxiliary calibrates; near (alike in kind or shape to an ID class) and far test; the three share no class."""


def class_names(classes: str | Sequence[str]) -> tuple[str, ...]:
    """The classes of a group, or the given ones, checked.

    Raises:
        BadInput: no such group or class.
    """
    if isinstance(classes, str):
        if classes not in GROUPS:
            raise BadInput(f"miniworld: classes = {classes!r} is no group; give one of {', '.join(GROUPS)}, or a list of class names.")
        return GROUPS[classes]
    known = ID_CLASSES + FOREIGN_CLASSES
    unknown = [name for name in classes if name not in known]
    if unknown or not classes:
        raise BadInput(f"miniworld: classes = {list(classes)!r}; each must be one of {', '.join(known)}.")
    return tuple(classes)
