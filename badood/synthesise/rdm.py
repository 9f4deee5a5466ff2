"""The representation diffusion model: what a noisy embedding was before the noise. Source: paper sec. 3.2; RCG."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from badood import config
from badood.core import weights
from badood.core.compute import Compute
from badood.core.errors import BadWeights
from badood.core.training import Loss
from badood.synthesise.mlp import SimpleMLP
from badood.synthesise.schedule import Schedule, rdm_betas


class Denoiser(Protocol):
    """What samplers and guides need of a diffusion model.

    It works on embeddings times `input_scale`: samplers and scores multiply what comes in and divide what goes out, as RCG's do.
    """

    @property
    def input_scale(self) -> float:
        """Factor by which z0 was multiplied in training; RCG's published models have 1."""

    @property
    def schedule(self) -> Schedule:
        """Noise levels of its steps."""

    def clean(self, z_t: Tensor, t: int) -> Tensor:
        """Estimate of z0: (N, D) at step `t` -> (N, D) float32."""


class RDM(nn.Module):
    """Representation diffusion model that predicts z0.

    Args:
        network: the residual MLP.
        embedding: class -> context of a conditional network; None for an unconditional one.
        schedule: noise levels; None = the published ones.
        input_scale: see `Denoiser`; `noised`, `clean` and `loss` take embeddings that are scaled already.
    """

    def __init__(
        self, network: SimpleMLP, embedding: nn.Embedding | None = None, schedule: Schedule | None = None, input_scale: float = 1.0
    ) -> None:
        super().__init__()
        self.input_scale = input_scale
        self.network = network
        self.embedding = embedding
        self.schedule = schedule or Schedule(rdm_betas())

    @classmethod
    def of(cls, cfg: config.RDM, dim: int) -> "RDM":
        """A fresh model of the preset's sizes for embeddings of length `dim`."""
        context = cfg.context_width if cfg.classes else None
        network = SimpleMLP(dim, width=cfg.width, blocks=cfg.blocks, time_width=cfg.time_width, context_width=context)
        return cls(network, nn.Embedding(cfg.classes, cfg.context_width) if cfg.classes else None)

    def noised(self, z0: Tensor, t: int | Tensor, noise: Tensor) -> Tensor:
        """z_t: see `Schedule.noised`."""
        return self.schedule.noised(z0, t, noise)

    def clean(self, z_t: Tensor, t: int | Tensor, label: Tensor | None = None) -> Tensor:
        """Estimate of z0.

        Args:
            z_t: (N, D) noisy embeddings. t: their diffusion step, or (N,) int64. label: (N,) int64, conditional models only.

        Returns:
            (N, D) float32.
        """
        steps = torch.as_tensor(t, device=z_t.device).expand(len(z_t))
        return self.network(z_t, steps, self._context(label)).float()

    def loss(self, z0: Tensor, t: Tensor, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """Mean squared error of the estimate of (N, D) z0 under noise at (N,) steps; a scalar. Source: RCG, p_losses."""
        return nn.functional.mse_loss(self.clean(self.noised(z0, t, noise), t, label), z0)

    def frozen(self, label: Tensor | None = None) -> "FrozenRDM":
        """This model for a sampling run in which weights and classes stay as they are."""
        return FrozenRDM(self, self._context(label))

    def _context(self, label: Tensor | None) -> Tensor | None:
        if self.embedding is None:
            return None
        if label is None:
            raise ValueError("a class-conditional RDM needs a label for each row")
        return self.embedding(label)


class FrozenRDM:
    """An RDM during sampling. All rows share a step, so its time terms are computed for one row, once, and kept."""

    def __init__(self, rdm: RDM, context: Tensor | None) -> None:
        self.schedule, self.input_scale = rdm.schedule, rdm.input_scale
        self._network = rdm.network
        self._context = None if context is None else rdm.network.context_terms(context)
        self._terms: dict[int, list[Tensor]] = {}

    def clean(self, z_t: Tensor, t: int) -> Tensor:
        """Estimate of z0: (N, D) at step `t` -> (N, D) float32."""
        return self._network.denoise(z_t, self._terms_at(t, z_t.device)).float()

    @torch.no_grad()
    def _terms_at(self, t: int, device: torch.device) -> list[Tensor]:
        if t not in self._terms:
            self._terms[t] = self._network.time_terms(torch.tensor([t], device=device))
        if self._context is None:
            return self._terms[t]
        return [time + given for time, given in zip(self._terms[t], self._context, strict=True)]


def rdm_loss(rdm: RDM, z0: Tensor, compute: Compute, labels: Tensor | None = None) -> Loss:
    """What `core.training.fit` minimises: mean squared error of the estimate of z0 at a uniform random step.

    Args:
        z0: (N, D) float32 training embeddings. labels: (N,) int64 for a conditional model.
    """

    def loss(chosen: Tensor, done: float) -> Tensor:
        clean = compute.put(z0[chosen]) * rdm.input_scale
        t = torch.randint(len(rdm.schedule), (len(clean),), device=clean.device)
        label = None if labels is None else compute.put(labels[chosen])
        return rdm.loss(clean, t, torch.randn_like(clean), label)

    return loss


def load_rdm(path: Path, cfg: config.RDM, dim: int) -> RDM:
    """The RDM of a weights file: our safetensors, or a checkpoint as RCG's main_rdm.py writes it, whose EMA weights are taken.

    Raises:
        BadWeights: the file is missing, holds code, or does not fit; every tensor that does not fit is named.
    """
    rdm = RDM.of(cfg, dim)
    if path.suffix == ".safetensors":
        weights.load_strict(rdm, weights.read(path), path)
    else:
        load_published(rdm, weights.read_entry(path, "model"), path)
    return rdm.eval()


def load_published(rdm: RDM, state: Mapping[str, Tensor], source: Path | str, *, ema: bool = True) -> None:
    """Copy the `model` entry of an RCG checkpoint into `rdm`.

    The frozen encoder in it (`pretrained_encoder.*`) is left out, and so is the class embedding of an unconditional model, which
    RCG builds but never uses. Noise levels must be the schedule's.

    Args:
        ema: take the averaged weights, as RCG does when it generates; else the raw ones.

    Raises:
        BadWeights: names or shapes differ, or the noise levels do.
    """
    raw = {name: f"model.diffusion_model.{name}" for name in rdm.network.state_dict()}
    averaged = {name: "model_ema." + f"diffusion_model.{name}".replace(".", "") for name in raw}
    tables = published_tables(rdm.schedule)
    expected = {published[name]: tensor for name, tensor in rdm.network.state_dict().items() for published in (raw, averaged)}
    expected |= {"model_ema.decay": torch.zeros(()), "model_ema.num_updates": torch.zeros(())} | tables
    unused = ["pretrained_encoder."]
    if rdm.embedding is None:
        unused.append("cond_stage_model.embedding.weight")
    else:
        expected["cond_stage_model.embedding.weight"] = rdm.embedding.weight
    weights.check({k: v for k, v in state.items() if not k.startswith(tuple(unused))}, expected, source, "RCG's RDM")
    for name, table in tables.items():
        if not torch.allclose(state[name].double(), table, rtol=1e-4, atol=1e-12):
            raise BadWeights(f"{source}: {name} is not that of RCG's schedule (0.0015..0.0195, {len(rdm.schedule)} steps).")
    chosen = averaged if ema else raw
    rdm.network.load_state_dict({name: state[published] for name, published in chosen.items()})
    if rdm.embedding is not None:
        rdm.embedding.load_state_dict({"weight": state["cond_stage_model.embedding.weight"]})


def published_tables(schedule: Schedule) -> dict[str, Tensor]:
    """The schedule as RCG stores it in checkpoints: (T,) float64 tables by RCG's names."""
    kept, before = schedule.alphas_cumprod, schedule.alphas_cumprod_prev
    return {
        "betas": schedule.betas,
        "alphas_cumprod": kept,
        "alphas_cumprod_prev": before,
        "sqrt_alphas_cumprod": kept.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - kept).sqrt(),
        "log_one_minus_alphas_cumprod": (1 - kept).log(),
        "sqrt_recip_alphas_cumprod": kept.rsqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / kept - 1).sqrt(),
        "posterior_variance": schedule.posterior_variance,
        "posterior_log_variance_clipped": schedule.posterior_variance.clamp_min(1e-20).log(),
        "posterior_mean_coef1": schedule.betas * before.sqrt() / (1 - kept),
        "posterior_mean_coef2": (1 - before) * (1 - schedule.betas).sqrt() / (1 - kept),
    }
