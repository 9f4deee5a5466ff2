"""One ID image taken through the method, step by step, for the page that teaches it."""

import base64
from typing import Any

import numpy as np

from badood.data.images import png
from badood.pipeline.anchors import Anchors
from badood.pipeline.results import Results
from badood.pipeline.runs import Run
from badood.synthesise import synthesiser

STEPS = ("decoded", "noised", "denoised", "guided")
"""The anchor's own embedding, with noise, denoised without guidance, and denoised towards low likelihood."""


def walk(run: Run, found: Results, row: int, *, start: int, scale: float) -> dict[str, Any]:
    """What becomes of an anchor at every step; all draws are those of the anchor's row, so only the settings change the pictures.

    Args:
        run: with an embedded source of outliers, whose synthesiser and parameters are used. row: of its ID training images.
        start: t, diffusion step up to which noise is added. scale: guidance scale.

    Returns:
        steps: by name of `STEPS` image (PNG as base64), energy (nats), id_confidence and minority_score; signal: the anchor's weight in z_t, 0..1.

    Raises:
        BadInput: the run has no embedded source, or its outliers come from elsewhere only.
    """
    anchor = Anchors(run, found, np.array([row]))
    kind = synthesiser[anchor.source.synthesise.method]
    starts = {"start": start} if "start" in getattr(kind, "__dataclass_fields__", {}) else {}
    ways = [anchor.moved(anchor.made(strength, **starts)) for strength in (0.0, scale)]
    pixels, told = anchor.painted([anchor.z0, anchor.noised(start), *ways])
    steps = {
        name: {"image": base64.b64encode(png(image.numpy())).decode(), **figures}
        for name, image, figures in zip(STEPS, pixels, told.to_dict("records"), strict=True)
    }
    return {"steps": steps, "signal": float(anchor.models.rdm.schedule.alphas_cumprod[start].sqrt())}
