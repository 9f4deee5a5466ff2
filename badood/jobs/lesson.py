"""One ID image taken through the method, step by step, for the page that teaches it."""

import base64
from typing import Any

import numpy as np
import torch

from badood.calibrate import from_dict
from badood.core.artefacts import read_json
from badood.core.noise import Noise
from badood.pipeline.method import Method
from badood.pipeline.table import png
from badood.synthesise import synthesiser
from badood.synthesise.guidance import minority_score

STEPS = ("decoded", "noised", "denoised", "guided")
"""The anchor's own embedding, with noise, denoised without guidance, and denoised towards low likelihood."""


def walk(method: Method, row: int, *, start: int, scale: float) -> dict[str, Any]:
    """What becomes of an anchor at every step; all draws are those of the anchor's row, so only the settings change the pictures.

    Args:
        method: the run. row: of its ID training images.
        start: t, diffusion step up to which noise is added. scale: guidance scale.

    Returns:
        steps: by name of `STEPS` image (PNG as base64), energy (nats), id_confidence and minority_score; signal: the anchor's weight in z_t, 0..1.
    """
    cfg, compute, rdm = method.cfg, method.run.compute, method.models.rdm
    labels = torch.from_numpy(np.load(method.encoded / "labels.npy")[[row]])
    z0 = torch.from_numpy(np.load(method.encoded / "z0.npy", mmap_mode="r")[[row]])
    noise = Noise(cfg.synthesise.seed, np.array([row]))
    with compute.autocast():
        given, anchor = compute.put(labels), compute.put(z0)
        z_t = rdm.noised(anchor, start, noise.normal(anchor.shape[1:], "start").to(anchor))
        ways = [
            synthesiser.make("minority", {"scale": strength, "start": start}).sample(anchor, given, rdm, noise) for strength in (0.0, scale)
        ]
        embeddings = [part.detach().float() for part in (anchor, z_t, *ways)]
        likely = [
            float(minority_score(rdm.frozen(given), part, renoise=cfg.synthesise.score_renoise, noise=noise, samples=4))
            for part in embeddings
        ]
    same = Noise(cfg.decode.seed, np.full(len(embeddings), row))
    pixels = method.models.decode(torch.cat(embeddings).cpu(), same)
    energy = method.seen(method.load_detector(method.first_detector), pixels)
    confidence = from_dict(read_json(method.confidence / "calibrator.json")).id_confidence(energy)
    steps = {
        name: {
            "image": base64.b64encode(png(pixels[place].numpy())).decode(),
            "energy": float(energy[place]),
            "id_confidence": float(confidence[place]),
            "minority_score": likely[place],
        }
        for place, name in enumerate(STEPS)
    }
    return {"steps": steps, "signal": float(rdm.schedule.alphas_cumprod[start].sqrt())}
