"""CLIP: the cut tokenizer, the loss, training, zero-shot, weights in and out."""

import open_clip
import pytest
import torch
from torch import Tensor

from badood.config import CLIP
from badood.core import weights
from badood.core.compute import Compute
from badood.core.errors import BadConfig, BadInput, BadWeights
from badood.core.training import fit
from badood.evaluate.clip import Clip, byte_pair_tokenizer, captions, clip_loss, load_clip, make_clip, zero_shot

TINY = {
    "embed_dim": 32,
    "custom_text": True,
    "vision_cfg": {"image_size": 32, "timm_model_name": "test_byobnet", "timm_pool": "avg", "timm_proj": "linear"},
    "text_cfg": {"vocab_size": 640, "context_length": 16, "width": 32, "heads": 2, "layers": 1},
}
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (30, 40, 220), "navy_blue": (10, 10, 90)}
TEMPLATES = ["a photo of a {}.", "{}"]
CPU = Compute(torch.device("cpu"), torch.float32)


def squares(n: int) -> tuple[Tensor, Tensor]:
    """(n, 3, 24, 24) uint8 plain colours with noise, and their labels."""
    labels = torch.arange(n) % len(COLOURS)
    base = torch.tensor(list(COLOURS.values()))[labels].float()[:, :, None, None]
    noisy = base + 12 * torch.randn(n, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    return noisy.clamp(0, 255).to(torch.uint8), labels


@pytest.fixture(scope="module")
def trained() -> Clip:
    torch.manual_seed(0)
    clip = make_clip(TINY)
    images, labels = squares(64)
    cfg = CLIP(model=TINY, epochs=40, batch_size=16, lr=3e-3)
    fit(clip.network, clip_loss(clip, images, labels, captions(list(COLOURS), TEMPLATES), CPU), 64, cfg, compute=CPU)
    return clip


def test_cut_tokenizer_agrees_with_open_clips_own_when_nothing_is_cut() -> None:
    texts = ["a photo of a starfish.", "naïve Broccoli, 3 jeeps!"]
    assert torch.equal(byte_pair_tokenizer(49408, 77)(texts), open_clip.get_tokenizer("ViT-B-32")(texts))


@pytest.mark.parametrize("size", [514, 640, 2048])
def test_cut_tokenizer_spells_every_word_and_ends_with_its_largest_id(size: int) -> None:
    tokenizer = byte_pair_tokenizer(size, 32)
    ids = tokenizer(["a photo of a zeppelin."])[0]
    assert ids.max() == ids[ids.nonzero().max()] == size - 1
    assert tokenizer.decode(ids[1 : ids.argmax()].tolist()).strip() == "a photo of a zeppelin ."


def test_training_makes_zero_shot_right_on_unseen_images(trained: Clip) -> None:
    images, labels = squares(200)
    probabilities = zero_shot(trained, images[64:], list(COLOURS), TEMPLATES, CPU)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(136), atol=1e-5)
    assert (probabilities.argmax(dim=1) == labels[64:]).float().mean() > 0.95


def test_zero_shot_does_not_depend_on_batches_or_on_the_order_of_the_names(trained: Clip) -> None:
    images, _ = squares(9)
    names = list(COLOURS)
    whole = zero_shot(trained, images, names, TEMPLATES, CPU)
    assert torch.allclose(whole[4:5], zero_shot(trained, images[4:5], names, TEMPLATES, CPU), atol=1e-5)
    assert torch.allclose(whole.flip(1), zero_shot(trained, images, names[::-1], TEMPLATES, CPU), atol=1e-5)


def test_loss_of_a_perfect_model_is_near_zero_though_images_share_captions() -> None:
    """Plain InfoNCE would be at least log 2 here: every caption stands for two images of the batch."""

    class Perfect(torch.nn.Module):
        logit_scale = torch.tensor(100.0).log()
        encode_text = staticmethod(lambda tokens: torch.eye(2)[tokens[:, 0]])
        encode_image = staticmethod(lambda pixels: torch.eye(2)[(pixels.mean(dim=(1, 2, 3)) > 0).long()])

    clip = Clip(Perfect(), lambda texts: torch.tensor([[int(text)] for text in texts]), 8, (0.5,) * 3, (0.5,) * 3)
    images = torch.tensor([0, 0, 255, 255], dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 8, 8)
    loss = clip_loss(clip, images, torch.tensor([0, 0, 1, 1]), [["0"], ["1"]], CPU)
    # the caption's target is shared by two images: its cross-entropy is the entropy of that target, log 2
    assert loss(torch.arange(4), 0.0).item() == pytest.approx(0.5 * torch.log(torch.tensor(2.0)).item(), abs=1e-3)


def test_weights_survive_a_round_trip_in_half_precision(trained: Clip, tmp_path) -> None:
    weights.save(tmp_path / "clip.safetensors", trained.network.state_dict(), half=True)
    images, _ = squares(8)
    again = load_clip(TINY, tmp_path / "clip.safetensors")
    assert torch.allclose(
        zero_shot(trained, images, list(COLOURS), TEMPLATES, CPU), zero_shot(again, images, list(COLOURS), TEMPLATES, CPU), atol=0.02
    )


def test_published_models_load_from_a_file_and_name_what_does_not_fit(tmp_path) -> None:
    torch.manual_seed(0)
    named = make_clip("ViT-S-32-alt")
    torch.save(named.network.state_dict(), tmp_path / "small.pt")
    again = load_clip("ViT-S-32-alt", tmp_path / "small.pt")
    assert all(torch.equal(a, b) for a, b in zip(named.network.parameters(), again.network.parameters(), strict=True))
    with pytest.raises(BadWeights, match=r"small\.pt"):
        load_clip(TINY, tmp_path / "small.pt")


def test_errors_name_the_field_and_the_remedy(tmp_path) -> None:
    with pytest.raises(BadConfig, match="ViT-Q-99"):
        make_clip("ViT-Q-99")
    with pytest.raises(BadConfig, match="embed_dmi"):
        make_clip({"embed_dmi": 3})
    with pytest.raises(BadConfig, match=r"clip\.templates"):
        captions(["jeep"], ["a photo"])
    with pytest.raises(BadConfig, match="vocab_size = 100"):
        make_clip(TINY | {"text_cfg": TINY["text_cfg"] | {"vocab_size": 100}})
    with pytest.raises(BadInput, match="jeep"):
        zero_shot(make_clip(TINY), squares(2)[0], ["jeep", "jeep"], ["{}"], CPU)
    with pytest.raises(BadWeights, match="nowhere"):
        load_clip(TINY, tmp_path / "nowhere.safetensors")
