"""A histogram above a slider, of plain HTML: it says where to drag before anybody drags."""

import math
from functools import lru_cache

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from badood.explore.finished import Finished, Scale

_BINS = 60
_HEIGHT = 26  # px

_STYLE = f"""<style>
.bad-bins{{display:flex;align-items:flex-end;gap:1px;height:{_HEIGHT}px;margin-bottom:-12px}}
.bad-bins i{{flex:1;background:color-mix(in srgb,currentColor 55%,transparent);border-radius:1px 1px 0 0}}
</style>"""


def small_histogram(found: Finished, column: str, scale: Scale, place: DeltaGenerator | None = None) -> None:
    """Where a run's outliers lie on a slider's axis.

    Args:
        column: of the outliers. scale: the slider's. place: where it is drawn; none = here.
    """
    (place or st).html(_drawn(found, column, (scale.lo, scale.hi)))


@lru_cache(maxsize=64)
def _drawn(found: Finished, column: str, span: tuple[float, float]) -> str:
    table = found.outliers.histogram(column, bins=_BINS, span=span)
    tallest = max(1, int(table["count"].max()))
    # by the root of the counts, so that a few outliers are seen beside many
    bars = "".join(f'<i style="height:{_HEIGHT * math.sqrt(count / tallest):.1f}px"></i>' for count in table["count"])
    return f'{_STYLE}<div class="bad-bins" role="img" aria-label="Histogram of {column}">{bars}</div>'
