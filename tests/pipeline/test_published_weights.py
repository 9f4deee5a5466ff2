"""The paper's presets read checkpoints in the published layouts through the same path as a run; tiny stand-ins take their place."""

from pathlib import Path

import pytest
import torch
from torch import nn

from badood.config import load_config
from badood.core.errors import BadWeights
from badood.pipeline.models import Models, clip_weights, missing, weights_key

TINY = {
    "encoder": [
        "encoder.weights={folder}/mocov3_published_layout.pth.tar",
        "encoder.image_size=32",
        "encoder.backbone_params={{img_size: 32, patch_size: 16, embed_dim: 32, depth: 2, num_heads: 4}}",
        *("encoder.hidden=48", "encoder.dim=16"),
    ],
    "rdm": ["rdm.weights={folder}/rdm_published_layout.pth", "rdm.width=32", "rdm.blocks=2", "rdm.time_width=16", "encoder.dim=16"],
    "vqgan": [
        "tokenizer.weights={folder}/mage_published_layout.pth",
        *("tokenizer.image_size=32", "tokenizer.channels=32", "tokenizer.multipliers=[1, 1]"),
        *("tokenizer.blocks=1", "tokenizer.code_dim=4", "tokenizer.codes=16"),
    ],
    "mage": [
        "mage.weights={folder}/mage_published_layout.pth",
        *("mage.width=32", "mage.depth=1", "mage.heads=2", "mage.decoder_width=32", "mage.decoder_depth=1", "mage.decoder_heads=2"),
        *("tokenizer.image_size=32", "tokenizer.multipliers=[1, 1]", "tokenizer.codes=16", "encoder.dim=8"),
    ],
}


@pytest.mark.parametrize("preset", ["imagenet100", "imagenet100-b"])
@pytest.mark.parametrize("model", sorted(TINY))
def test_a_preset_reads_the_published_layout(reference: Path, preset: str, model: str) -> None:
    models = Models(load_config(preset, [setting.format(folder=reference) for setting in TINY[model]]))
    loaded: nn.Module = getattr(models, model)
    assert all(parameter.isfinite().all() for parameter in loaded.parameters())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("model", sorted(TINY))
def test_another_size_is_refused_by_the_names_of_its_tensors(reference: Path, model: str) -> None:
    published = [setting.format(folder=reference) for setting in TINY[model] if ".weights=" in setting]
    with torch.device("meta"), pytest.raises(BadWeights, match=r"expected \(|missing"):
        getattr(Models(load_config("imagenet100-b", published)), model)


@pytest.mark.parametrize("preset", ["imagenet100", "imagenet100-b"])
def test_clips_weights_are_a_tag_of_open_clip_and_no_path_in_the_checkout(preset: str) -> None:
    cfg = load_config(preset)
    assert clip_weights(cfg) == cfg.clip.weights == weights_key(cfg, "clip")
    assert missing(cfg, ("clip",)) == {}


def test_what_is_no_tag_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "clip.safetensors"
    cfg = load_config("imagenet100", [f"clip.weights={file}"])
    assert clip_weights(cfg) == file
    assert missing(cfg, ("clip",)) == {"clip": f"clip: {file} (clip.weights)"}
