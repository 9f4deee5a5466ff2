"""Which logit of a foreign classifier means which class of the data."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from badood.core.errors import BadWeights

GAIN = 0.05
"""Another order than the data's own is believed where it raises accuracy by more than this; chance alone gains less."""


@dataclass(frozen=True)
class Order:
    """Of C classes.

    Attributes:
        rows: for every class of the data its logit's number, (C,) int64.
        told: in a sentence, how it was found.
    """

    rows: Tensor
    told: str


def named_order(classes: Sequence[str], names: Sequence[str] | None) -> Order | None:
    """The order by names alone; none where not every class of the data is among the names.

    Args:
        classes: the data's, in the order of its labels. names: the file's, in the order of its logits.
    """
    position = {plain_name(name): number for number, name in enumerate(names or ())}
    if not classes or len(position) < len(names or ()) or not all(plain_name(name) in position for name in classes):
        return None
    rows = torch.tensor([position[plain_name(name)] for name in classes])
    same = torch.equal(rows, torch.arange(len(names or ())))
    of = "" if len(classes) == len(names or ()) else f" of the file's {len(names or ())}"
    return Order(
        rows,
        f"Class order: {len(classes)} classes{of} matched by name" + (", the same order." if same else "; the file's order is another."),
    )


def matched_classes(logits: Tensor, labels: Tensor, classes: Sequence[str], names: Sequence[str] | None = None) -> Order:
    """The logit of every class: by name where the file has names, else by the largest agreement with labels.

    Args:
        logits: (N, K) of ID images. labels: (N,) int64 in [0, C).
        classes: C names of the data's classes. names: K names of the file's, if it has any.

    Raises:
        BadWeights: K is not C, and names do not say which to take.
    """
    if (named := named_order(classes, names)) is not None:
        return named
    check_count(logits.shape[1], classes, names)
    count = len(classes)
    table = torch.zeros(count, count, dtype=torch.float64)
    table.index_put_((labels, logits.argmax(dim=1)), torch.ones(len(labels), dtype=torch.float64), accumulate=True)
    # a class without images keeps its place
    _, best = linear_sum_assignment(table + 1e-6 * torch.eye(count, dtype=torch.float64), maximize=True)
    rows = torch.from_numpy(best)
    as_is, moved = (float(table[torch.arange(count), order].sum()) / max(len(labels), 1) for order in (torch.arange(count), rows))
    if moved - as_is <= GAIN:
        return Order(torch.arange(count), f"Class order: the data's own; {as_is:.1%} of {len(labels):,} labels agree.")
    changed = ", ".join(f"{classes[i]} = {int(rows[i])}" for i in range(count) if rows[i] != i)[:200]
    return Order(
        rows,
        f"Class order: not the data's own (with which {as_is:.1%} of {len(labels):,} labels agree); taken is the one with which most do, "
        f"{moved:.1%}: {changed}.",
    )


def check_count(found: int, classes: Sequence[str], names: Sequence[str] | None = None, source: str = "the file") -> None:
    """Whether a classifier of `found` classes can tell those of the data.

    Raises:
        BadWeights: it cannot; both numbers are said.
    """
    if found == len(classes) or named_order(classes, names) is not None:
        return
    lacking = [name for name in classes if plain_name(name) not in {plain_name(other) for other in names or ()}]
    by_name = f" Its names lack {', '.join(lacking[:5])}." if names else " It has no class names by which to choose."
    raise BadWeights(
        f"{source} tells {found} classes apart, the ID data has {len(classes)} ({', '.join(classes[:5])}{', ...' if len(classes) > 5 else ''})."
        f"{by_name} Take weights that were trained on these classes, or the data that they were trained on."
    )


def plain_name(name: str) -> str:
    """A class name such that names that are spelt alike are equal: without case, hyphens, underscores and spare blanks."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
