"""A pipeline of Stable Diffusion with some thousand random weights."""

from pathlib import Path

import pytest
import torch


def tiny_pipeline(folder: Path, seed: int = 0) -> Path:
    """Write one; its tokens are single characters, its images have 16 px. Skips where transformers is not installed."""
    pytest.importorskip("transformers", reason="an extra: pip install 'badood[stable-diffusion]'")
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(seed)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    begin, end = "<|startoftext|>", "<|endoftext|>"
    vocabulary = {word: number for number, word in enumerate([*letters, *[f"{letter}</w>" for letter in letters], "-</w>", begin, end])}
    text = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=vocabulary[begin],
        eos_token_id=vocabulary[end],
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=16,
    )
    pipe = StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77),
        unet=unet,
        scheduler=DDIMScheduler(clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder / "pipeline")
    return folder / "pipeline"
