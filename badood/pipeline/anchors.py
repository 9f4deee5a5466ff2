"""ID images on their way to outliers, at any setting of the synthesiser: for those who want to see what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.outliers.embedded import Embedded
from badood.pipeline.artefacts import Encoded
from badood.pipeline.models import Models
from badood.pipeline.opened import recorded
from badood.pipeline.preflight import outlier_sources
from badood.pipeline.raw_score import fit_raw_score
from badood.pipeline.results import Results
from badood.pipeline.runs import Run
from badood.pipeline.stage import Context
from badood.pipeline.stages.detect import seeing
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.guidance import minority_score


@dataclass(frozen=True)
class Anchors:
    """ID training images of a finished run. All draws are those of an image's row, so that only the settings change what becomes of it.

    Attributes:
        run: with an embedded source of outliers, whose synthesiser and parameters are used. found: what it has found.
        rows: (N,) of its ID training images.
    """

    run: Run
    found: Results
    rows: NDArray[np.int64]

    @cached_property
    def source(self) -> Embedded:
        """The run's first source that synthesises.

        Raises:
            BadInput: the run has none.
        """
        source = next((each for each in outlier_sources(self.run.cfg).values() if isinstance(each, Embedded)), None)
        if source is None or "encoded" not in self.run.record["results"]:
            raise BadInput(
                f"the outliers of run {self.run.id} were not made by a synthesiser, so there are no steps to show; choose another run."
            )
        return source

    @cached_property
    def ctx(self) -> Context:
        """Device, precision and threads of the run's settings."""
        return Context(self.run.cfg.compute)

    @cached_property
    def models(self) -> Models:
        """The run's models."""
        return Models(self.run.cfg)

    @cached_property
    def noise(self) -> Noise:
        """Of the anchors, whatever is drawn beside them."""
        return Noise(self.source.synthesise.seed, self.rows)

    @cached_property
    def labels(self) -> Tensor:
        """(N,) int64 classes, on the run's device."""
        return self.ctx.compute.put(torch.from_numpy(self.found.sets.train.labels[self.rows]))

    @cached_property
    def z0(self) -> Tensor:
        """(N, D) float32 embeddings, on the run's device."""
        return self.ctx.compute.put(self._all_z0[torch.from_numpy(self.rows)])

    @cached_property
    def _all_z0(self) -> Tensor:
        _ = self.source  # says where there are none
        return torch.from_numpy(np.array(Encoded(self.run.folder / self.run.record["results"]["encoded"]).z0))

    def noised(self, t: int) -> Tensor:
        """(N, D) z_t: the anchors under the noise of diffusion step t."""
        with self.ctx.compute.autocast():
            return self.models.rdm.noised(self.z0, t, self.noise.normal(self.z0.shape[1:], "start").to(self.z0))

    def made(self, scale: float, **changed: int) -> Synthesiser:
        """The run's synthesiser at another scale, and with other parameters where they are given.

        Raises:
            BadInput: it has no such parameter, or it cannot have this value.
        """
        settings = self.source.synthesise
        made: Synthesiser = synthesiser.make(settings.method, {**settings.params, "scale": scale, **changed})
        return made.fit(self._all_z0, torch.from_numpy(self.found.sets.train.labels))

    def moved(self, made: Synthesiser) -> Tensor:
        """(N, D) outlier embeddings of the anchors by a synthesiser of `made`."""
        with self.ctx.compute.autocast():
            return made.sample(self.z0, self.labels, self.models.rdm, self.noise).detach()

    def minority_score(self, z: Tensor) -> NDArray[np.float32]:
        """(N,) distance in z, >= 0, of one embedding an anchor to its restoration; larger = rarer."""
        settings, rdm = self.source.synthesise, self.models.rdm
        with self.ctx.compute.autocast():
            score = minority_score(
                rdm.frozen(self.labels), z, renoise=settings.score_renoise, noise=self.noise, samples=settings.score_samples
            )
        found: NDArray[np.float32] = score.float().cpu().numpy()
        return found

    def painted(self, embeddings: Sequence[Tensor]) -> tuple[Tensor, pd.DataFrame]:
        """Images of embeddings, and what the first detector says of them.

        Args:
            embeddings: K times (N, D), an embedding an anchor.

        Returns:
            (K * N, 3, H, W) uint8, and a row an image: minority_score, energy (nats), id_confidence.
        """
        rows, found, cfg = np.tile(self.rows, len(embeddings)), self.found, self.run.cfg
        # the same draws for every embedding of an anchor, so that the decoder adds no difference of its own
        pixels = self.models.decode(torch.cat([each.float() for each in embeddings]).cpu(), Noise(cfg.decode.seed, rows))
        see = seeing(found.previews.first, self.ctx)
        raw = fit_raw_score(found.scoring.score, see, found.sets.train, found.sets.validation, cfg.evaluate.fit_images)
        seen = see(pixels)
        return pixels, pd.DataFrame(
            {
                "minority_score": np.concatenate([self.minority_score(each) for each in embeddings]),
                "energy": np.asarray(seen.energy, dtype=np.float64),
                "id_confidence": found.confidence.calibrator.id_confidence(raw.log_odds(seen)),
            }
        )


def varied(run: Run, rows: Sequence[int], *, scales: Sequence[float], t: Sequence[int], s: Sequence[int]) -> pd.DataFrame:
    """Outliers of a few ID images at every combination of settings; see `OpenRun.guided`."""
    found = recorded(run)
    train = found.sets.train
    wrong = [row for row in rows if not 0 <= row < len(train)]
    if wrong or not rows:
        raise BadInput(
            f"run {run.id} has no ID training image {wrong[0] if wrong else '(none was given)'}; rows go from 0 to {len(train) - 1:,}."
        )
    anchors = Anchors(run, found, np.asarray(rows, dtype=np.int64))
    scales = scales or anchors.source.synthesise.scales
    starts: list[dict[str, int]] = [{"start": step} for step in t] or [{}]
    renoised: list[dict[str, int]] = [{"renoise": step} for step in s] or [{}]
    tables, embeddings = [], []
    for scale, start, renoise in product(scales, starts, renoised):
        made = anchors.made(scale, **start, **renoise)
        embeddings.append(anchors.moved(made))
        settings = {"guidance_scale": scale} | ({"t": made.t} if made.t else {}) | ({"s": made.renoise} if hasattr(made, "renoise") else {})
        names = [train.classes[label] for label in train.labels[anchors.rows]]
        tables.append(pd.DataFrame({"anchor_row": anchors.rows, "anchor_class": names, **settings}))
    pixels, told = anchors.painted(embeddings)
    images = pd.Series([Image.fromarray(each.permute(1, 2, 0).numpy()) for each in pixels])
    return pd.concat([pd.concat(tables, ignore_index=True), told], axis=1).assign(image=images)
