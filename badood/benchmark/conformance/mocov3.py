"""Cases of the MoCo-v3 encoder: features, head, preparation of images, published checkpoint."""

from typing import Any

import torch
from torch import Tensor

from badood import config
from badood.benchmark.conformance.engine import Case, Check, family
from badood.core.compute import Compute
from badood.core.weights import read_entry
from badood.encode.features import Encoder, prepare, standardise
from badood.encode.vit import load_published, sincos_table


def recorded_encoder(sizes: dict[str, Any]) -> Encoder:
    """An encoder of the sizes in a case's header."""
    backbone = {"img_size": sizes["img"], "patch_size": sizes["patch"], "embed_dim": sizes["embed"]}
    backbone |= {"depth": sizes["depth"], "num_heads": sizes["heads"]}
    return Encoder(
        config.Encoder(
            backbone="vit_moco_base",
            backbone_params=backbone,
            image_size=sizes["img"],
            hidden=sizes["mlp_dim"],
            dim=sizes["proj"],
            epochs=1,
            batch_size=2,
            lr=1,
        )
    )


@torch.no_grad()
def representation(sizes: dict[str, Any], state: dict[str, Tensor], images: Tensor, compute: Compute, *, prefix: str) -> Tensor:
    """z0 of (N, 3, H, W) images in [0, 1] by an encoder that lies under `prefix` in another model's state dict."""
    encoder = recorded_encoder(sizes)
    load_published(encoder, {name: tensor for name, tensor in state.items() if name.startswith(prefix)}, "the case", prefix)
    return standardise(compute.inference(encoder)(prepare(images, sizes["img"])))


@family("mocov3")
@torch.no_grad()
def mocov3(case: Case, check: Check) -> None:
    """Features of prepared images, or of raw images of any size."""
    sizes = case.config["vit"]
    encoder = recorded_encoder(sizes)
    if case.state():
        load_published(encoder, case.state(), case.path, prefix="")
    else:
        path = case.companion()
        load_published(encoder, read_entry(path, "state_dict"), path)
    encoder = case.compute.inference(encoder)
    x = case.input("x") if "input.x" in case.tensors else prepare(case.input("images"), sizes["img"])
    features = encoder.backbone(x)
    projected = encoder.head(features)
    check.close("features", features)
    check.close("projected", projected)
    check.close("rep", standardise(projected))
    for name in case.outputs("rep_without_projection"):
        check.close(name, standardise(features))
    for name in case.outputs("sincos_pos_embed"):
        check.close(name, sincos_table(sizes["img"] // sizes["patch"], sizes["embed"]))
    for name in case.outputs("preprocessed_every_8th_pixel"):
        check.close(name, x[..., ::8, ::8])
