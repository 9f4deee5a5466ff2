"""Cases of the VQGAN tokenizer in RCG's layout."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from badood import config
from badood.benchmark.conformance.engine import LONG, Case, Check, family
from badood.core.weights import load_strict
from badood.decode.vqgan import VQGAN, as_input


def tokenizer_settings(sizes: dict[str, Any]) -> config.Tokenizer:
    """Settings of the sizes in a case's header."""
    return config.Tokenizer(
        image_size=sizes["resolution"],
        channels=sizes["ch"],
        multipliers=sizes["ch_mult"],
        blocks=sizes["num_res_blocks"],
        code_dim=sizes["z_channels"],
        codes=sizes["n_embed"],
        epochs=1,
        batch_size=2,
        lr=1,
    )


def recorded_vqgan(case: Case, state: dict[str, Tensor]) -> VQGAN:
    """The tokenizer of a case's header with the weights of a state dict."""
    vqgan = VQGAN.of(tokenizer_settings(case.config["vq"]))
    load_strict(vqgan, state, case.path)
    return case.compute.inference(vqgan)


@family("mage_vqgan")
@torch.no_grad()
def mage_vqgan(case: Case, check: Check) -> None:
    """Image -> codes -> image."""
    vqgan = recorded_vqgan(case, case.state())
    if case.outputs("codebook_entry") or case.outputs("decoded"):
        size = case.input("images").shape[2] if "input.images" in case.tensors else case.config["vq"]["resolution"]
        vectors = vqgan.vectors(case.input("code_indices"), size // vqgan.shrink)
        check.close("codebook_entry", vectors, LONG)
        check.close("decoded", vqgan.decode(vectors), LONG)
    if case.outputs("encoder_out") or "input.images" in case.tensors:
        _check_images(case, check, vqgan)


def _check_images(case: Case, check: Check, vqgan: VQGAN) -> None:
    images = case.input("images")
    z = vqgan.encoder(as_input(images))
    quantised, indices = vqgan.encode(images)
    check.close("encoder_out", z, LONG)
    check.close("indices", indices)
    check.close("quantised", quantised, LONG)
    check.close("reconstruction", vqgan.decode(quantised), LONG)
    check.close("commit_loss", legacy_commitment(z, quantised), LONG)
    check.remark("commit_loss in the original's legacy order of beta is computed by the check; the product's codebook follows by k-means")


def legacy_commitment(z: Tensor, quantised: Tensor, beta: float = 0.25) -> Tensor:
    """Codebook loss of VectorQuantizer2 with legacy=True: beta weighs the codebook's half, not the encoder's."""
    return (1 + beta) * F.mse_loss(quantised, z)
