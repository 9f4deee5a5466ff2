"""The published presets build networks of the published sizes. On no device, so that nothing is allocated."""

import pytest
import torch
from torch import nn

from badood.config import load_config
from badood.decode.mage import MAGE
from badood.decode.vqgan import VQGAN
from badood.detect.backbone import Detector
from badood.encode.features import Encoder
from badood.synthesise.rdm import RDM


def count(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.parameters())


def blocks(depth: int, width: int) -> int:
    """Parameters of transformer blocks: attention, four-fold MLP, two norms."""
    return depth * (12 * width**2 + 13 * width)


@pytest.mark.parametrize(("preset", "width", "depth"), [("imagenet100", 1024, 24), ("imagenet100-b", 768, 12)])
def test_mocov3_vit(preset: str, width: int, depth: int) -> None:
    cfg = load_config(preset).encoder
    with torch.device("meta"):
        encoder = Encoder(cfg)
    # blocks, class token, 16 x 16 patches of 3 colours, 197 positions, last norm
    assert count(encoder.backbone) == blocks(depth, width) + width + (3 * 256 + 1) * width + 197 * width + 2 * width
    # three linear layers without bias; a norm with scale and shift after the first two
    assert count(encoder.head) == width * 4096 + 4096 * 4096 + 4096 * 256 + 4 * 4096
    if preset == "imagenet100":
        assert round(count(encoder.backbone) / 1e6) == 303


@pytest.mark.parametrize("preset", ["imagenet100", "imagenet100-b"])
def test_rdm_12x1536(preset: str) -> None:
    cfg = load_config(preset)
    with torch.device("meta"):
        rdm = RDM.of(cfg.rdm, cfg.encoder.dim)
    assert count(rdm) == 62_721_280
    assert len(rdm.network.res_blocks) == 12


@pytest.mark.parametrize(("preset", "width", "depth"), [("imagenet100", 1024, 24), ("imagenet100-b", 768, 12)])
def test_mage(preset: str, width: int, depth: int) -> None:
    cfg = load_config(preset)
    with torch.device("meta"):
        mage = MAGE.of(cfg.mage, codes=cfg.tokenizer.codes, side=16, dim=cfg.encoder.dim)
    assert count(mage.blocks) == blocks(depth, width)
    assert count(mage.decoder_blocks) == blocks(8, width)
    assert tuple(mage.token_emb.word_embeddings.weight.shape) == (1024 + 1000 + 1, width)


@pytest.mark.parametrize(("preset", "millions"), [("imagenet100", 21.3), ("imagenet100-resnetv2", 42.7), ("imagenet100-tnt", 23.4)])
def test_detectors_of_the_papers_kinds(preset: str, millions: float) -> None:
    """ResNet-34 and ResNetV2-101 for 100 classes, and a transformer of T2T-ViT-14's size (21.5 million with 1,000 classes)."""
    with torch.device("meta"):
        assert count(Detector(load_config(preset).detector, classes=100)) / 1e6 == pytest.approx(millions, abs=0.1)


def test_vqgan_1024_codes() -> None:
    with torch.device("meta"):
        vqgan = VQGAN.of(load_config("imagenet100").tokenizer)
    assert count(vqgan) == 54_515_587
    assert (1024, 256) in [tuple(tensor.shape) for tensor in vqgan.parameters()]
