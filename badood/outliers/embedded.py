"""Outliers of a synthesiser and the preset's decoder: z0 -> outlier embeddings -> images. Paper sec. 3.2 and 3.3."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from badood import config
from badood.core.errors import BadConfig
from badood.core.noise import Noise
from badood.outliers.source import Draw, Given, Group, Need, OutlierSource, outlier_source, row_groups
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.guidance import minority_score


@outlier_source("embedded")
@dataclass(config=ConfigDict(extra="forbid"))
class Embedded(OutlierSource):
    """Every anchor is taken at every scale, so that scales can be compared on the same image.

    Attributes:
        synthesise: method, count, scales. decode: how embeddings become images.
    """

    shared = True
    synthesise: config.Synthesise
    decode: config.Decode

    @classmethod
    def of(cls, cfg: config.Config, entry: config.Outliers) -> Self:
        """The run's `synthesise`, with what the entry sets differently."""
        count = {} if entry.count is None else {"count": entry.count}
        try:
            own = config.Synthesise.model_validate(cfg.synthesise.model_dump() | entry.params | count)
        except ValueError as error:
            raise BadConfig(f"outliers {entry.name!r}: {error}") from error
        return cls(synthesise=own, decode=cfg.decode)

    @property
    def needs(self) -> frozenset[Need]:
        """See `OutlierSource`."""
        return frozenset({"encoder", "rdm", "tokenizer", self.decode.generator})

    def check(self) -> None:
        """See `OutlierSource`."""
        for scale in self.synthesise.scales:
            synthesiser.make(self.synthesise.method, {**self.synthesise.params, "scale": scale})

    def fingerprint(self) -> str:
        """Nothing is read but the ID images and the models."""
        return ""

    @property
    def anchors_a_scale(self) -> int:
        """How many anchors are taken at each scale."""
        return max(1, self.synthesise.count // len(self.synthesise.scales))

    def total(self, given: Given) -> int:
        """See `OutlierSource`."""
        return self.anchors_a_scale * len(self.synthesise.scales)

    def groups(self, given: Given, first: int) -> Iterator[Group]:
        """See `OutlierSource`."""
        draw = self.generator(given)
        for rows in row_groups(self.total(given), first, given.size):
            yield draw(rows)

    def generator(self, given: Given) -> Draw:
        """See `OutlierSource`."""
        drawn = _Drawn(self, given)

        def draw(rows: NDArray[np.int64]) -> Group:
            assert given.models is not None
            z, columns = drawn.rows(rows)
            images = given.models.decode(z, Noise(self.decode.seed, rows), given.progress)
            return Group(images.numpy(), columns, z.numpy())

        return draw


class _Drawn:
    """Embeddings of outliers by their rows; batches are the same whichever rows are asked for."""

    def __init__(self, source: Embedded, given: Given) -> None:
        assert given.z0 is not None
        self.cfg, self.given, self.z0 = source.synthesise, given, given.z0
        self.anchors = anchors(given.labels, source.anchors_a_scale, self.cfg.seed)
        self._fitted: dict[int, Synthesiser] = {}
        self._last: tuple[tuple[int, int], tuple[Tensor, NDArray[np.float32]]] | None = None

    def rows(self, rows: NDArray[np.int64]) -> tuple[Tensor, dict[str, Any]]:
        """(n, D) embeddings and their columns."""
        scale_of, place = np.divmod(rows, len(self.anchors))
        batch_of = place // self.cfg.batch_size
        z, score = [], []
        for scale, batch in dict.fromkeys(zip(scale_of.tolist(), batch_of.tolist(), strict=True)):
            here = place[(scale_of == scale) & (batch_of == batch)] - batch * self.cfg.batch_size
            made = self._batch(scale, batch)
            z.append(made[0][torch.from_numpy(here)])
            score.append(made[1][here])
        methods = [self._method(scale) for scale in range(len(self.cfg.scales))]
        anchor = self.anchors[place]
        return torch.cat(z), {
            "anchor_row": anchor,
            "guidance_scale": np.array(self.cfg.scales)[scale_of],
            "t": np.array([method.t for method in methods])[scale_of],
            "s": np.array([getattr(method, "renoise", 0) for method in methods])[scale_of],
            "minority_score": np.concatenate(score),
            "synthesiser": np.full(len(rows), self.cfg.method, dtype=object),
            "seed": np.full(len(rows), self.cfg.seed),
            "anchor_id": np.asarray(self.given.ids, dtype=object)[anchor],
            "anchor_class": np.asarray(self.given.classes, dtype=object)[self.given.labels[anchor]],
        }

    def _method(self, scale: int) -> Synthesiser:
        if scale not in self._fitted:
            params: Mapping[str, Any] = {**self.cfg.params, "scale": self.cfg.scales[scale]}
            self._fitted[scale] = synthesiser.make(self.cfg.method, params).fit(self.z0, torch.from_numpy(self.given.labels))
        return self._fitted[scale]

    def _batch(self, scale: int, batch: int) -> tuple[Tensor, NDArray[np.float32]]:
        """Embeddings and minority scores of one batch of anchors at one scale, on the CPU."""
        if self._last is not None and self._last[0] == (scale, batch):
            return self._last[1]
        compute, rdm = self.given.compute, self.given.models.rdm  # type: ignore[union-attr]
        rows = self.anchors[batch * self.cfg.batch_size :][: self.cfg.batch_size]
        ids = scale * len(self.anchors) + batch * self.cfg.batch_size + np.arange(len(rows))
        mine = compute.ranks.share(len(rows))
        noise, own = Noise(self.cfg.seed, ids[mine]), rows[mine]
        method = self._method(scale)  # fitted in full precision: a covariance rounded to bfloat16 may have no root
        with compute.autocast():
            labels = compute.put(torch.from_numpy(self.given.labels[own]))
            z = method.sample(compute.put(self.z0[torch.from_numpy(own)]), labels, rdm, noise)
            score = minority_score(rdm.frozen(labels), z, renoise=self.cfg.score_renoise, noise=noise, samples=self.cfg.score_samples)
        parts = compute.ranks.collected([(z.float().cpu(), score.cpu().numpy())])
        self.given.progress.update("synthesise", int(ids[-1]) + 1, len(self.anchors) * len(self.cfg.scales))
        made = torch.cat([part for part, _ in parts]), np.concatenate([part for _, part in parts])
        self._last = ((scale, batch), made)
        return made


def anchors(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """(count,) rows of ID images that outliers start from, as evenly over the classes as can be.

    Rows repeat only where `count` exceeds the number of images.
    """
    rng = np.random.default_rng([seed, 0xA2C])
    position = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        position[rng.permutation(rows)] = np.arange(len(rows))
    # the first of every class, then the second of every class, ...
    order = np.lexsort((labels, position))
    return np.sort(np.resize(order, count))
