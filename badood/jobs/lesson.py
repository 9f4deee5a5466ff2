"""One ID image taken through the method, step by step, for the page that teaches it."""

import base64
from typing import Any

import numpy as np
import torch

from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.data.images import png
from badood.outliers.embedded import Embedded
from badood.pipeline.artefacts import Encoded
from badood.pipeline.models import Models
from badood.pipeline.preflight import outlier_sources
from badood.pipeline.raw_score import fit_raw_score
from badood.pipeline.results import Results
from badood.pipeline.runs import Run
from badood.pipeline.stage import Context
from badood.pipeline.stages.detect import seeing
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.guidance import minority_score

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
    source = next((each for each in outlier_sources(run.cfg).values() if isinstance(each, Embedded)), None)
    if source is None or "encoded" not in run.record["results"]:
        raise BadInput(f"the outliers of run {run.id} were not made by a synthesiser, so there are no steps to show; choose another run.")
    ctx = Context(run.cfg.compute)
    cfg, compute, models = source.synthesise, ctx.compute, Models(run.cfg)
    rdm, train = models.rdm, found.sets.train
    encoded = Encoded(run.folder / run.record["results"]["encoded"]).z0
    z0, labels = torch.from_numpy(np.array(encoded[[row]])), torch.from_numpy(train.labels[[row]])
    noise = Noise(cfg.seed, np.array([row]))
    with compute.autocast():
        given, anchor = compute.put(labels), compute.put(z0)
        z_t = rdm.noised(anchor, start, noise.normal(anchor.shape[1:], "start").to(anchor))
        made = [_synthesiser(source, strength, start) for strength in (0.0, scale)]
        ways = [
            each.fit(torch.from_numpy(np.array(encoded)), torch.from_numpy(train.labels)).sample(anchor, given, rdm, noise) for each in made
        ]
        embeddings = [part.detach().float() for part in (anchor, z_t, *ways)]
        likely = [
            float(minority_score(rdm.frozen(given), part, renoise=cfg.score_renoise, noise=noise, samples=cfg.score_samples))
            for part in embeddings
        ]
    same = Noise(run.cfg.decode.seed, np.full(len(embeddings), row))
    pixels = models.decode(torch.cat(embeddings).cpu(), same)
    sets = found.sets
    see = seeing(found.previews.first, ctx)
    raw = fit_raw_score(found.scoring.score, see, sets.train, sets.validation, run.cfg.evaluate.fit_images)
    seen = see(pixels)
    confidence = found.confidence.calibrator.id_confidence(raw.log_odds(seen))
    steps = {
        name: {
            "image": base64.b64encode(png(pixels[place].numpy())).decode(),
            "energy": float(seen.energy[place]),
            "id_confidence": float(confidence[place]),
            "minority_score": likely[place],
        }
        for place, name in enumerate(STEPS)
    }
    return {"steps": steps, "signal": float(rdm.schedule.alphas_cumprod[start].sqrt())}


def _synthesiser(source: Embedded, scale: float, start: int) -> Synthesiser:
    """The run's own at another scale; where it starts at a diffusion step, at another one."""
    kind = synthesiser[source.synthesise.method]
    starts = {"start": start} if "start" in getattr(kind, "__dataclass_fields__", {}) else {}
    made: Synthesiser = synthesiser.make(source.synthesise.method, {**source.synthesise.params, "scale": scale, **starts})
    return made
