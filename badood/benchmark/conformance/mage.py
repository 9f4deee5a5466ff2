"""Cases of MAGE in RCG's layout: network, training pass, parallel decoding, published checkpoint."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from badood import config
from badood.benchmark.conformance.engine import LONG, Case, Check, family
from badood.benchmark.conformance.mocov3 import representation
from badood.benchmark.conformance.vqgan import recorded_vqgan, tokenizer_settings
from badood.decode.mage import MAGE, load_mage, load_published, masked_hidden, masks
from badood.decode.parallel_decoding import (
    Logits,
    Step,
    decoding_steps,
    guidance_at,
    guided,
    mage_logits,
    still_masked,
    temperature_at,
)
from badood.decode.vqgan import VQGAN, load_vqgan
from badood.encode.vit import sincos_table

SIDE = 16
"""Of the grid of codes; the original's generation has no other."""


def mage_settings(sizes: dict[str, Any]) -> config.MAGE:
    """Settings of the sizes in a case's header."""
    return config.MAGE(
        width=sizes["embed"],
        depth=sizes["depth"],
        heads=sizes["heads"],
        decoder_width=sizes["dec_embed"],
        decoder_depth=sizes["dec_depth"],
        decoder_heads=sizes["dec_heads"],
        epochs=1,
        batch_size=2,
        lr=1,
    )


@dataclass(frozen=True)
class RecordedDraws:
    """What the original drew: (steps, N, L) ids of all positions, and standard Gumbel noise."""

    drawn: Tensor
    noise: Tensor

    def ids(self, probabilities: Tensor, unknown: Tensor, step: int) -> Tensor:
        """The recorded ids of the masked positions."""
        return self.drawn[step].long()[unknown]

    def gumbel(self, unknown: Tensor, step: int) -> Tensor:
        """The recorded noise."""
        return self.noise[step]


def original_count(unknown: Tensor, step: int, steps: int) -> Tensor:
    """Row 0 decides how many positions stay masked in every row."""
    return still_masked(unknown, step, steps)[:1].expand(len(unknown), 1)


def replayed(case: Case, logits: Logits, sizes: dict[str, Any], codes: int, prefix: str = "") -> tuple[config.Decode, list[Step]]:
    """Decode with the recorded draws and the original's way of counting."""
    cfg = config.Decode(steps=sizes["num_iter"], guidance=sizes["cfg"], temperature=sizes["temp"])
    draws = RecordedDraws(case.input(f"{prefix}categorical_draws"), case.input(f"{prefix}gumbel"))
    mask_id = codes + 1000
    blank = torch.full(draws.drawn.shape[1:], mask_id, device=draws.drawn.device)
    return cfg, list(decoding_steps(logits, draws, cfg, blank, mask_id, count=original_count))


def _check_steps(check: Check, cfg: config.Decode, steps: list[Step], prefix: str = "") -> None:
    """What every step masked, how sure it was, and how noise and number went down."""
    check.close(f"{prefix}masking", torch.stack([step.masked for step in steps]))
    check.close(f"{prefix}mask_len", torch.stack([step.count[0, 0] for step in steps]).float())
    check.close(f"{prefix}selected_probs", torch.stack([step.chosen for step in steps]), LONG)
    check.close(f"{prefix}noise_temperature", torch.tensor([temperature_at(step, cfg) for step in range(cfg.steps)]))
    check.close(f"{prefix}final_ids", steps[-1].ids)
    check.remark("the number of masked positions is taken from row 0, as in the original; the product counts each row by itself")


@family("mage_parallel_decode")
def mage_parallel_decode(case: Case, check: Check) -> None:
    """Decoding steps under given logits, which stay the same from step to step."""
    sizes = case.config
    conditional = case.input("cond_logits")
    unconditional = case.input("uncond_logits") if sizes["cfg"] > 0 else conditional
    mask_id = sizes["K"] + 1000

    def logits(ids: Tensor, weight: float) -> Tensor:
        return guided(conditional, unconditional, weight)[ids == mask_id]

    cfg, steps = replayed(case, logits, sizes, sizes["K"])
    _check_steps(check, cfg, steps)
    check.close("masked_at_step_start", torch.stack([step.unknown for step in steps]))
    check.close("num_masked_next", torch.stack([step.masked.sum(dim=1) for step in steps]))
    logged = [guided(conditional, unconditional, guidance_at(step, cfg)) for step in sizes["log_steps"]]
    check.close("cfg_logits", torch.stack(logged))


@family("mage_model")
@torch.no_grad()
def mage_model(case: Case, check: Check) -> None:
    """One pass, two whole decodings, and the training pass."""
    state, rep = case.state(), case.input("rep")
    mage = MAGE.of(mage_settings(case.config["mage"]), codes=case.config["vq"]["n_embed"], side=SIDE, dim=rep.shape[1])
    load_published(mage, state, case.path)
    mage = case.compute.inference(mage)
    vqgan = recorded_vqgan(case, {name.removeprefix("vqgan."): tensor for name, tensor in state.items() if name.startswith("vqgan.")})
    check.close("constants", torch.tensor([mage.class_id, mage.mask_id, mage.codes]))
    _check_pass(case, check, mage, rep)
    for index in range(len(case.config["gen"])):
        _check_generation(case, check, mage, vqgan, index)
    if case.outputs("train."):
        z0 = representation(case.config["vit"], state, case.input("images"), case.compute, prefix="pretrained_encoder.")
        _check_training(case, check, mage, vqgan.encode_indices(case.input("images")), z0)


def _check_pass(case: Case, check: Check, mage: MAGE, rep: Tensor) -> None:
    ids, positions = case.input("token_ids"), case.config["positions"]
    slots = F.pad(ids, (1, 0), value=mage.class_id)
    check.close("token_emb", mage.token_emb(slots)[:, positions])
    latent = mage.encode(mage.embed(ids, rep))
    check.close("encoder_out", latent[:, positions])
    hidden = mage.decode(latent, ids == mage.mask_id)
    check.close("logits_codebook", mage.logits(hidden[:, 1:]))
    check.close("logits_full_vocab", mage.mlm_layer(hidden[:, positions], mage.token_emb.word_embeddings.weight))
    # MAE's order of the halves is the reverse of MoCo's
    table = torch.cat(sincos_table(SIDE, mage.cfg.width)[0].chunk(2, dim=1)[::-1], dim=1)
    check.close("sincos_pos_embed_row_17_200", table[[0, 1, 17, 200]])
    check.remark("the fixed position table lies unused in the published file and is computed by the check")


def _check_generation(case: Case, check: Check, mage: MAGE, vqgan: VQGAN, index: int) -> None:
    prefix = f"gen{index}."
    cfg, steps = replayed(case, mage_logits(mage, case.input("rep")), case.config["gen"][index], mage.codes, prefix)
    _check_steps(check, cfg, steps, prefix)
    logged = [_all_logits(mage, case.input("rep"), steps, step, cfg) for step in case.config["log_steps"][index]]
    check.close(f"{prefix}step_logits", torch.stack(logged), LONG)
    check.close(f"{prefix}image", vqgan.decode(vqgan.vectors(steps[-1].ids)), LONG)


def _all_logits(mage: MAGE, rep: Tensor, steps: list[Step], step: int, cfg: config.Decode) -> Tensor:
    """Guided logits of every position at the beginning of a step; the product computes those of masked positions only."""
    ids = steps[step].ids.masked_fill(steps[step].unknown, mage.mask_id)
    conditional = mage(ids, rep)
    return guided(conditional, mage(ids, mage.fake_latent.expand_as(rep)), guidance_at(step, cfg))


def _check_training(case: Case, check: Check, mage: MAGE, codes: Tensor, z0: Tensor) -> None:
    dropped = case.input("rep_drop_uniform")[:, None] < mage.cfg.drop_condition
    condition = torch.where(dropped, mage.fake_latent, z0)
    kept, masked = masks(case.input("mask_noise"), drop_rate=mage.cfg.mask_rate[0], mask_rate=case.input("mask_rate").item())
    unseen = torch.ones_like(masked).scatter(1, kept, False)
    logits = mage.logits(masked_hidden(mage, codes, condition, kept, masked))
    check.close("train.gt_indices", codes)
    check.close("train.token_all_mask", F.pad(masked, (1, 0)).float())
    check.close("train.token_drop_mask", F.pad(unseen, (1, 0)).float())
    check.close("train.logits_codebook", logits)
    check.close("train.loss", F.cross_entropy(logits[masked], codes[masked], label_smoothing=0.1))


@family("mage_published")
@torch.no_grad()
def mage_published(case: Case, check: Check) -> None:
    """The checkpoint layout of RCG's main_mage.py, MAGE and VQGAN in one file."""
    path, rep = case.companion(), case.input("rep")
    mage = load_mage(path, mage_settings(case.config["mage"]), codes=case.config["vq"]["n_embed"], side=SIDE, dim=rep.shape[1])
    mage = case.compute.inference(mage)
    vqgan = case.compute.inference(load_vqgan(path, tokenizer_settings(case.config["vq"])))
    for index, sizes in enumerate(case.config["gen"]):
        cfg, steps = replayed(case, mage_logits(mage, rep), sizes, mage.codes, f"gen{index}.")
        check.close(f"gen{index}.first_step_logits", _all_logits(mage, rep, steps, 0, cfg), LONG)
        check.close(f"gen{index}.final_ids", steps[-1].ids)
        check.close(f"gen{index}.image", vqgan.decode(vqgan.vectors(steps[-1].ids)), LONG)
