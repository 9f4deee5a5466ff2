"""A grid of outliers with id_confidence in the upper right corner, as in the paper's Fig. 2 and 3."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from badood.core.errors import BadInput
from badood.explore.figures.lettering import lettering
from badood.explore.figures.style import INK, TYPE_COLOURS, mark_text

_BORDER = 4
_GAP = 6


def contact_sheet(
    images: Sequence[bytes],
    confidences: Sequence[float | None],
    types: Sequence[str | None],
    captions: Sequence[str] | None = None,
    *,
    columns: int = 10,
    cell: int = 112,
) -> Image.Image:
    """The images row by row, on a transparent ground.

    Args:
        images: encoded bytes (PNG, WebP, JPEG).
        confidences: id_confidence in [0, 1]; None writes "ID" instead, for the anchors' column of Fig. 2; NaN writes nothing.
        types: names of `TYPE_COLOURS` for the border; None = grey.
        captions: a line under each image, such as CLIP's class.
        columns: images a row. cell: height and width of an image in px.

    Returns:
        RGBA image.

    Raises:
        BadInput: there is no image to show.
    """
    if not images:
        raise BadInput("a contact sheet needs at least one image; widen the filters.")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    line = 18 if captions else 0
    side = cell + 2 * _BORDER
    sheet = Image.new("RGBA", (columns * (side + _GAP) - _GAP, rows * (side + line + _GAP) - _GAP), (0, 0, 0, 0))
    for position, (data, confidence, kind) in enumerate(zip(images, confidences, types, strict=True)):
        corner = (position % columns * (side + _GAP), position // columns * (side + line + _GAP))
        sheet.paste(_tile(data, confidence, kind, cell), corner)
        if captions:
            _caption(sheet, captions[position], (corner[0], corner[1] + side), side)
    return sheet


def _tile(data: bytes, confidence: float | None, kind: str | None, cell: int) -> Image.Image:
    side = cell + 2 * _BORDER
    tile = Image.new("RGBA", (side, side), TYPE_COLOURS.get(kind or "", INK))
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    # small images are enlarged without smoothing, so that their pixels are seen as they are
    method = Image.Resampling.NEAREST if picture.width < cell / 2 else Image.Resampling.LANCZOS
    tile.paste(picture.resize((cell, cell), method), (_BORDER, _BORDER))
    text = "ID" if confidence is None else mark_text(confidence)
    if not text:
        return tile
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(max(11, cell // 8))
    left, top, right, bottom = draw.textbbox((side - _BORDER - 3, _BORDER + 2), text, font=font, anchor="rt")
    draw.rectangle((left - 3, top - 2, right + 3, bottom + 2), fill=(0, 0, 0, 190))
    draw.text((side - _BORDER - 3, _BORDER + 2), text, font=font, anchor="rt", fill="white")
    return tile


def _caption(sheet: Image.Image, text: str, corner: tuple[int, int], width: int) -> None:
    draw = ImageDraw.Draw(sheet)
    text, font = lettering(text, 12)
    while text and draw.textlength(text, font=font) > width:
        text = text[:-2] + "…" if len(text) > 2 else ""
    draw.text((corner[0] + width // 2, corner[1] + 2), text, font=font, anchor="mt", fill=INK)
