"""Rows of images by URL: light for the server, cached by the browser."""

import html
from collections.abc import Iterable
from dataclasses import dataclass

import streamlit as st

from app.server import outlier_url
from badood.explore.figures.style import TYPE_COLOURS, mark_text
from badood.explore.finished import Finished
from badood.explore.queries import said

_STYLE = """<style>
.bad-strip{display:flex;flex-wrap:wrap;gap:8px;margin:2px 0 10px}
.bad-strip figure{margin:0;width:var(--side);font-size:.76rem;line-height:1.25}
.bad-strip .frame{position:relative;border:3px solid var(--edge);border-radius:6px;overflow:hidden;height:var(--side)}
.bad-strip img{width:100%;height:100%;object-fit:cover;display:block;image-rendering:auto}
.bad-strip b{position:absolute;top:3px;right:3px;background:rgba(0,0,0,.74);color:#fff;padding:1px 5px;border-radius:4px;font-weight:600}
.bad-strip .out .frame{opacity:.45}
.bad-strip figcaption{text-align:center;opacity:.8;padding-top:2px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
</style>"""


@dataclass(frozen=True)
class Example:
    """An image of a strip.

    Attributes:
        url: of the image. mark: text of the upper right corner. caption: under the image. kind: OOD type, for the border.
        faded: whether it is shown as left out.
    """

    url: str
    mark: str = ""
    caption: str = ""
    kind: str = ""
    faded: bool = False


def strip(examples: Iterable[Example], *, side: int = 92, empty: str = "There is none.") -> None:
    """Draw images side by side; they wrap.

    Args:
        examples: the images. side: height and width in px. empty: said where there is none.
    """
    figures = [_figure(example) for example in examples]
    if not figures:
        st.caption(empty)
        return
    st.html(f'{_STYLE}<div class="bad-strip" style="--side:{side}px">{"".join(figures)}</div>')


def outlier(found: Finished, row: object, *, caption: str = "", faded: bool = False) -> Example:
    """An outlier of a table's row: id_confidence in the corner, the type as border, as far as both are known."""
    number = int(row.outlier_id)  # type: ignore[attr-defined]
    kind = getattr(row, "ood_type", "")
    return Example(outlier_url(found, number), mark_text(getattr(row, "id_confidence", None)), caption, kind if said(kind) else "", faded)


def _figure(example: Example) -> str:
    edge = TYPE_COLOURS.get(example.kind, "transparent")
    mark = f"<b>{html.escape(example.mark)}</b>" if example.mark else ""
    caption = html.escape(example.caption)
    label = html.escape(f"{example.caption} {example.mark} {example.kind}".strip(), quote=True)
    return (
        f'<figure class="{"out" if example.faded else "in"}" style="--edge:{edge}" title="{label}"><div class="frame">'
        f'<img src="{html.escape(example.url, quote=True)}" alt="{label}" decoding="async">{mark}</div>'
        f"<figcaption>{caption or '&nbsp;'}</figcaption></figure>"
    )
