"""Cases of RCG's representation diffusion model: network, schedule, sampler, average, published checkpoint."""

import re
from typing import Any

import torch
from torch import Tensor, nn

from badood.benchmark.conformance.engine import LONG, Case, Check, family, replay
from badood.benchmark.conformance.mocov3 import representation
from badood.core.errors import BadInput
from badood.core.training import EMA
from badood.core.weights import load_strict, read_entry
from badood.synthesise.ddim import ddim, ddim_moments, mean_after
from badood.synthesise.mlp import SimpleMLP, timestep_embedding
from badood.synthesise.rdm import RDM, load_published, published_tables
from badood.synthesise.schedule import Schedule, Step, ddim_grid, rdm_betas

PUBLISHED_DECAY = 0.9999


def recorded_mlp(sizes: dict[str, Any], *, context: bool) -> SimpleMLP:
    """A network of the sizes in a case's header."""
    return SimpleMLP(
        sizes["in_channels"],
        width=sizes["model_channels"],
        blocks=sizes["num_res_blocks"],
        time_width=sizes["time_embed_dim"],
        hidden=sizes["bottleneck_channels"],
        out=sizes["out_channels"],
        context_width=sizes["context_channels"] if context else None,
    )


def recorded_rdm(case: Case, state: dict[str, Tensor], *, ema: bool) -> RDM:
    """The RDM of a case's header with the weights of a published state dict."""
    sizes = case.config["rdm"]
    embedding = nn.Embedding(sizes["n_classes"], sizes["context_channels"]) if sizes["class_cond"] else None
    schedule = Schedule(rdm_betas(len(state["betas"])))
    rdm = RDM(recorded_mlp(sizes, context=sizes["class_cond"]), embedding, schedule, input_scale(case))
    load_published(rdm, state, case.path, ema=ema)
    return case.compute.inference(rdm)


def input_scale(case: Case) -> float:
    """Factor on the embeddings, by the case's header; the original's default is 1."""
    return float(case.config["rdm"].get("input_scale", case.config.get("input_scale", 1.0)))


@family("rdm_mlp")
@torch.no_grad()
def rdm_mlp(case: Case, check: Check) -> None:
    """One pass of the network."""
    context = bool(case.config["mlp"]["use_context"])
    network = recorded_mlp(case.config["mlp"], context=context)
    load_strict(network, case.state(), case.path)
    x, t = case.input("x"), case.input("timesteps")
    got = case.compute.inference(network)(x, t, case.input("context") if context else None)
    check.close("x0_pred", got)
    check.close("x0_pred_raw_shape", torch.tensor([*got.shape, 1, 1]))
    check.close("timestep_embedding", timestep_embedding(t, network.width))


@family("rdm_schedule")
def rdm_schedule(case: Case, check: Check) -> None:
    """Noise levels and DDIM grids."""
    cfg = case.config
    schedule = Schedule(rdm_betas(cfg["timesteps"], cfg["linear_start"], cfg["linear_end"]))
    check.close("betas_f64", schedule.betas)
    for name, table in published_tables(schedule).items():
        check.close(name, table)
    check.close("lvlb_weights", lvlb_weights(schedule))
    check.remark("lvlb_weights, which only a log of the original uses, are computed by the check")
    for name in case.outputs("S"):
        if found := re.fullmatch(r"S(\d+)_eta([\d.]+)\.(\w+)", name):
            steps = ddim_grid(schedule, int(found[1]))[::-1]
            check.close(name, grid_table(steps, found[3], float(found[2])))
    refused = [wanted for wanted in cfg["S"] if not _accepts(schedule, wanted)]
    check.close("S_that_raise_IndexError", torch.tensor(refused, dtype=torch.int64))


def lvlb_weights(schedule: Schedule) -> Tensor:
    """(T,) weights of the logged variational bound, with the precedence slip of the original."""
    kept = schedule.alphas_cumprod
    weights = 0.5 * kept.sqrt() / (2 - kept)
    return torch.cat([weights[1:2], weights[1:]])


def grid_table(steps: list[Step], name: str, eta: float) -> Tensor:
    """A table of the original's sampler, ascending."""
    if name == "timesteps":
        return torch.tensor([step.t for step in steps])
    columns = {
        "alphas": [step.alpha for step in steps],
        "alphas_prev": [step.alpha_prev for step in steps],
        "sigmas": [eta * step.variance**0.5 for step in steps],
        "sqrt_one_minus_alphas": [(1 - step.alpha) ** 0.5 for step in steps],
    }
    return torch.tensor(columns[name])


def _accepts(schedule: Schedule, wanted: int) -> bool:
    try:
        ddim_grid(schedule, wanted)
    except BadInput:
        return False
    return True


@family("rdm_ddim")
@torch.no_grad()
def rdm_ddim(case: Case, check: Check) -> None:
    """Training loss, one ancestral step, and whole DDIM runs."""
    raw, averaged = (recorded_rdm(case, case.state(), ema=ema) for ema in (False, True))
    label, t = case.input("class_label"), case.input("t")
    check.close("cond", case.state()["cond_stage_model.embedding.weight"][label])
    if not case.config["rdm"]["class_cond"]:
        check.remark("the class embedding of the unconditional model has no influence; the product leaves it out, the check looks it up")
    z0, noise = case.input("x0"), case.input("noise")
    z_t = raw.noised(z0, t, noise)
    clean = raw.clean(z_t, t, label)
    check.close("x_t", z_t)
    check.close("x0_pred", clean)
    check.close("loss", raw.loss(z0, t, noise, label))
    each = (clean - z0).square().mean(1)
    check.close("loss_vlb", (lvlb_weights(raw.schedule).to(each)[t] * each).mean())
    check.remark("loss_vlb is only logged by the original and computed by the check")
    _ancestral(case, check, raw.schedule, z_t, clean)
    for wanted in case.config["S"]:
        _deterministic(case, check, wanted, raw, averaged)
    start, draws = case.input("x_T"), case.input("eta1_noise")
    grid = ddim_grid(raw.schedule, case.config["S_eta1"])
    recorded = replay(lambda _, index: draws[len(grid) - 1 - index])
    moments = list(ddim_moments(raw.frozen(label), start, grid, noise=recorded, eta=1.0))
    check.close("ddim_eta1.sample", moments[-1].z / raw.input_scale, LONG)
    check.close("ddim_eta1.x_inter", torch.stack([start, *(moment.z for moment in moments)]), LONG)


def _ancestral(case: Case, check: Check, schedule: Schedule, z_t: Tensor, clean: Tensor) -> None:
    """The step of eta 1 between neighbouring indices is the ancestral one; each row has its own."""
    kept, before = schedule.alphas_cumprod.tolist(), schedule.alphas_cumprod_prev.tolist()
    steps = [Step(t, t, kept[t], before[t]) for t in case.input("t").tolist()]
    rows = list(zip(steps, z_t, clean, strict=True))
    mean = torch.stack([mean_after(step, z, x, step.variance**0.5) for step, z, x in rows])
    variance = torch.tensor([[step.variance] for step in steps], dtype=torch.float64)
    noise = torch.stack([(z - step.alpha**0.5 * x) / (1 - step.alpha) ** 0.5 for step, z, x in rows])
    check.close("eps_pred", noise)
    check.close("posterior_mean", mean)
    check.close("posterior_variance", variance)
    check.close("posterior_log_variance_clipped", variance.clamp_min(1e-20).log())
    check.close("ancestral_x_prev", mean + variance.sqrt().to(mean) * case.input("ancestral_noise"))


def _deterministic(case: Case, check: Check, wanted: int, raw: RDM, averaged: RDM) -> None:
    """A run with eta 0; the original logs every few steps, counted from the clean end, and the first."""
    label, start = case.input("class_label"), case.input("x_T")
    unused = replay(lambda *tag: start)
    grid = ddim_grid(raw.schedule, wanted)
    every = case.config["log_every"][str(wanted)]
    moments = list(ddim_moments(raw.frozen(label), start, grid, noise=unused))
    logged = [moment for moment in moments if moment.step.index % every == 0 or moment.step is grid[0]]
    name = f"ddim_S{wanted}"
    check.close(f"{name}.sample", moments[-1].z / raw.input_scale, LONG)
    check.close(f"{name}.x_inter", torch.stack([start, *(moment.z for moment in logged)]), LONG)
    check.close(f"{name}.pred_x0", torch.stack([start, *(moment.clean for moment in logged)]), LONG)
    check.close(f"{name}.sample_ema", ddim(averaged.frozen(label), start, grid, noise=unused), LONG)


@family("rdm_ema")
def rdm_ema(case: Case, check: Check) -> None:
    """The average of the weights over training steps."""
    module = nn.ParameterList([case.input("param_step0").clone()])
    ema = EMA(module, PUBLISHED_DECAY)
    ema.updates = case.config["num_updates0"]
    check.close("shadow_step0", ema.shadow["0"])
    for step in range(1, case.config["updates"] + 1):
        module[0].data = case.input(f"param_step{step}").clone()
        ema.update(module)
        check.close(f"shadow_step{step}", ema.shadow["0"])
    check.close("num_updates", torch.tensor(ema.updates))


@family("rdm_published")
@torch.no_grad()
def rdm_published(case: Case, check: Check) -> None:
    """The checkpoint layout of RCG's main_rdm.py, with averaged and with raw weights, and the encoder inside it.

    Beside the checkpoint may lie the same one with its arguments stored as a namespace.
    """
    path = case.companion()
    for variant in [path, *path.parent.glob(f"{path.stem}_namespace{path.suffix}")]:
        state = read_entry(variant, "model")
        for name, ema in (("ddim_sample_ema", True), ("ddim_sample_raw", False)):
            if case.outputs(name):
                check.close(name, _sample(case, recorded_rdm(case, state, ema=ema)), LONG)
        if case.outputs("rep"):
            rep = representation(case.config["vit"], state, case.input("images"), case.compute, prefix="pretrained_encoder.")
            check.close("rep", rep * input_scale(case))


def _sample(case: Case, rdm: RDM) -> Tensor:
    start = case.input("x_T")
    grid = ddim_grid(rdm.schedule, case.config["S"])
    return ddim(rdm.frozen(case.input("class_label")), start, grid, noise=replay(lambda *tag: start))
