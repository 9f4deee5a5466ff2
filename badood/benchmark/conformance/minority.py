"""Cases of self-guided minority sampling. Score, gradient, normalisation and mean are the product's.

The chain round them is that repository's own and is rebuilt here: fewer steps at fractional strides, noise prediction, learned or
enlarged variances, clipping inside the guidance.
"""

import dataclasses
import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from badood.benchmark.conformance.engine import LONG, Case, Check, family, replay
from badood.benchmark.conformance.rdm import recorded_mlp
from badood.core.weights import load_strict
from badood.synthesise.ddim import mean_after
from badood.synthesise.guidance import distance, minority_guide, normalised, restored
from badood.synthesise.mlp import SimpleMLP
from badood.synthesise.schedule import Schedule, Step, rdm_betas


@dataclass(frozen=True)
class Chain:
    """A diffusion model over a part of the original steps; a step here is an index of that part.

    Attributes:
        network: asked at the original steps. steps: the original step of each index.
        schedule: of the part. predicts, variance: mean and variance type, by the original's names.
        clip: clip estimates to [-1, 1]. input_scale: of the embeddings; the original has none.
    """

    network: SimpleMLP
    steps: list[int]
    schedule: Schedule
    predicts: str
    variance_type: str
    clip: bool = False
    input_scale: float = 1.0

    def _asked(self, z_t: Tensor, t: int) -> Tensor:
        return self.network(z_t, torch.full((len(z_t),), self.steps[t], device=z_t.device))

    def clean(self, z_t: Tensor, t: int) -> Tensor:
        """Estimate of z0: (N, D) at index `t` -> (N, D)."""
        out = self._asked(z_t, t)[:, : z_t.shape[1]]
        if self.predicts == "EPSILON":
            # where hardly any signal is left the two terms nearly cancel, so their factors are rounded as in the original
            kept = self.schedule.alphas_cumprod[t]
            out = (1 / kept).sqrt().to(z_t) * z_t - (1 / kept - 1).sqrt().to(z_t) * out
        return out.clamp(-1, 1) if self.clip else out

    def step(self, t: int) -> Step:
        """From index `t` to the one below; to no noise at all from 0."""
        return Step(t, t, float(self.schedule.alphas_cumprod[t]), float(self.schedule.alphas_cumprod_prev[t]))

    @torch.no_grad()
    def variance(self, z_t: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """The model's variance and its logarithm, (N, D) each."""
        least, most = self._posterior.log()[t].to(z_t), self.schedule.betas.log()[t].to(z_t)
        if self.variance_type == "LEARNED_RANGE":
            share = (self._asked(z_t, t)[:, z_t.shape[1] :] + 1) / 2
            log = share * most + (1 - share) * least
            return log.exp(), log
        small = self.variance_type == "FIXED_SMALL"
        variance = self.schedule.posterior_variance if small else torch.cat([self._posterior[:1], self.schedule.betas[1:]])
        log = self._posterior.log() if small else variance.log()
        return variance[t].to(z_t).expand_as(z_t), log[t].to(z_t).expand_as(z_t)

    @cached_property
    def _posterior(self) -> Tensor:
        """Posterior variances; the first, which is 0, repeats the second."""
        return torch.cat([self.schedule.posterior_variance[1:2], self.schedule.posterior_variance[1:]])


def original_betas(kind: str, steps: int) -> Tensor:
    """(T,) float64 of the recorded schedule."""
    if kind == "rdm":
        return rdm_betas(steps)
    if kind == "linear":
        return torch.linspace(0.1 / steps, 20 / steps, steps, dtype=torch.float64)
    level = [math.cos((i / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for i in range(steps + 1)]
    return torch.tensor([min(1 - after / before, 0.999) for before, after in itertools.pairwise(level)], dtype=torch.float64)


def spaced_steps(total: int, sections: list[int]) -> list[int]:
    """Original steps that a chain of equal sections keeps, each section with its own number, at fractional strides."""
    kept, first = [], 0
    for index, count in enumerate(sections):
        size = total // len(sections) + (index < total % len(sections))
        stride = (size - 1) / (count - 1) if count > 1 else 1.0
        # added up, as in the original: a product of stride and number would round to other steps now and then
        kept += [first + round(passed) for passed in itertools.accumulate([stride] * (count - 1), initial=0.0)]
        first += size
    return kept


def recorded_chain(case: Case) -> Chain:
    """The chain of a case's header."""
    cfg = case.config
    network = recorded_mlp(cfg["mlp"], context=cfg["mlp"]["use_context"])
    load_strict(network, case.state(), case.path)
    betas = original_betas(cfg["betas"]["kind"], cfg["betas"]["n"])
    steps = spaced_steps(len(betas), cfg["respacing"])
    kept = (1 - betas).cumprod(0)[steps]
    before = torch.cat([kept.new_ones(1), kept[:-1]])
    return Chain(case.compute.inference(network), steps, Schedule(1 - kept / before), cfg["mean_type"], cfg["var_type"])


@family("minority_guidance")
def minority_guidance(case: Case, check: Check) -> None:
    """One guided step in every variant, and the whole loop where it is recorded."""
    chain = recorded_chain(case)
    z_t, t = case.input("x_t"), int(case.input("t")[0])
    with torch.no_grad():
        clean = chain.clean(z_t, t)
    variance, log_variance = chain.variance(z_t, t)
    check.close("timestep_map", torch.tensor(chain.steps))
    check.close("spaced_betas", chain.schedule.betas)
    check.close("spaced_alphas_cumprod", chain.schedule.alphas_cumprod)
    check.close("pred_x0", clean)
    check.close("mean", mean_after(chain.step(t), z_t, clean, chain.step(t).variance ** 0.5))
    check.close("variance", variance)
    check.close("log_variance", log_variance)
    for index, variant in enumerate(case.config["variants"]):
        _variant(case, check, chain, variant, f"v{index}")
    if "loop" in case.config:
        _loop(case, check, chain)
    check.remark(
        "ancestral sampler, respacing, variance types and clipping are rebuilt by the check; a zero gradient gives NaN as in the original"
    )


def guidance(chain: Chain, variant: dict[str, Any], z_t: Tensor, t: int, draws: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The estimate guided by, the raw gradient and what is added to the mean, (N, D) each; `draws` is (samples, N, D)."""
    guided = dataclasses.replace(chain, clip=variant["mg_clip_denoised"])
    guide = minority_guide(
        guided,
        scale=1.0,
        renoise=int(len(chain.steps) * variant["p_ratio"]),
        noise=replay(lambda _, index, draw: draws[draw]),
        norm=variant["norm_for_mg"],
        samples=variant["num_mc_samples"],
        normalise=False,
    )
    with torch.enable_grad():
        z_t = z_t.detach().requires_grad_()
        clean = guided.clean(z_t, t)
    gradient = guide(z_t, clean, chain.step(t))
    # the original divides by zero where the product keeps a zero row zero
    shift = variant["mg_scale"] * (normalised(gradient, least=0.0) if variant["use_normed_grad"] else gradient)
    if variant["mg_scale_type"] == "var":
        shift = shift * chain.variance(z_t.detach(), t)[0]
    return clean.detach(), gradient, shift


def _variant(case: Case, check: Check, chain: Chain, variant: dict[str, Any], name: str) -> None:
    z_t, t, draws = case.input("x_t"), int(case.input("t")[0]), case.input("mc_noise")[: variant["num_mc_samples"]]
    clean, gradient, shift = guidance(chain, variant, z_t, t, draws)
    renoise = int(len(chain.steps) * variant["p_ratio"])
    guided = dataclasses.replace(chain, clip=variant["mg_clip_denoised"])
    with torch.no_grad():
        targets = torch.stack([restored(guided, clean, renoise, draw) for draw in draws])
        mean, sample = ancestral_step(chain, z_t, t, shift, case.input("step_noise"))
    check.close(f"{name}.perturb_t", torch.full((len(z_t),), renoise))
    check.close(f"{name}.x0", clean)
    check.close(f"{name}.x_perturbed", torch.stack([chain.schedule.noised(clean, renoise, draw) for draw in draws]))
    check.close(f"{name}.x0_hat", targets)
    check.close(f"{name}.ms", torch.stack([distance(clean, target, variant["norm_for_mg"]) for target in targets]))
    check.close(f"{name}.grad", gradient)
    check.close(f"{name}.guided_mean", mean)
    check.close(f"{name}.added_to_mean", shift)
    check.close(f"{name}.p_sample", sample)


def ancestral_step(chain: Chain, z_t: Tensor, t: int, shift: Tensor | float, noise: Tensor) -> tuple[Tensor, Tensor]:
    """The guided mean and the sample of one step, (N, D) each; the last step adds no noise."""
    step = chain.step(t)
    mean = mean_after(step, z_t, chain.clean(z_t, t), step.variance**0.5) + shift
    return mean, mean + (chain.variance(z_t, t)[1] / 2).exp() * noise if t else mean


def _loop(case: Case, check: Check, chain: Chain) -> None:
    settings, total = case.config["loop"], len(chain.steps)
    for name, on in (("guided", True), ("unguided", False)):
        z, seen = case.input("loop_x_T"), []
        for t, (step_noise, *draws) in zip(range(total - 1, -1, -1), case.input("loop_noise"), strict=True):
            shift: Tensor | float = 0.0
            if on and t > total * settings["t_mid"] and t % settings["inter_rate"] == 0:
                shift = guidance(chain, settings, z, t, torch.stack(draws))[2]
            with torch.no_grad():
                z = ancestral_step(chain, z, t, shift, step_noise)[1]
            seen.append(z)
        check.close(f"loop.{name}", torch.stack(seen), LONG)
