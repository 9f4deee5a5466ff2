import itertools
from pathlib import Path

import pytest
import torch
from torch import nn

from badood import config
from badood.core import weights
from badood.core.compute import choose
from badood.core.errors import BadWeights
from badood.synthesise.rdm import RDM, load_published, load_rdm, published_tables
from badood.synthesise.schedule import Schedule, ddim_grid, ddim_timesteps, rdm_betas


def settings(**changes: int) -> config.RDM:
    return config.RDM(**{"epochs": 1, "batch_size": 2, "lr": 1, "width": 24, "blocks": 2, "time_width": 8, "context_width": 6} | changes)


def published(rdm: RDM) -> dict[str, torch.Tensor]:
    """The `model` entry as RCG writes it; averaged weights are twice the raw ones."""
    network = rdm.network.state_dict()
    state = {f"model.diffusion_model.{name}": tensor for name, tensor in network.items()}
    state |= {"model_ema.diffusion_model" + name.replace(".", ""): 2 * tensor for name, tensor in network.items()}
    state |= {
        "model_ema.decay": torch.tensor(0.9999),
        "model_ema.num_updates": torch.tensor(7),
        "pretrained_encoder.cls_token": torch.zeros(1),
    }
    return state | {name: table.float() for name, table in published_tables(rdm.schedule).items()}


def scrambled(rdm: RDM) -> RDM:
    for parameter in rdm.parameters():
        nn.init.normal_(parameter, std=0.3)
    return rdm.eval()


def test_an_untrained_block_is_the_identity_and_training_starts_at_the_variance() -> None:
    rdm, z0 = RDM.of(settings(), 10), torch.randn(500, 10)
    assert rdm.loss(z0, torch.zeros(500, dtype=torch.int64), torch.randn(500, 10)).item() == pytest.approx(z0.square().mean().item())


def test_own_file_comes_back_whole(tmp_path: Path) -> None:
    rdm = scrambled(RDM.of(settings(classes=3), 10))
    weights.save(tmp_path / "rdm.safetensors", rdm.state_dict())
    again = load_rdm(tmp_path / "rdm.safetensors", settings(classes=3), 10)
    z, t, label = torch.randn(4, 10), torch.tensor([0, 5, 400, 999]), torch.tensor([0, 1, 2, 2])
    torch.testing.assert_close(again.clean(z, t, label), rdm.clean(z, t, label))


def test_a_frozen_model_estimates_as_the_model_does() -> None:
    rdm = scrambled(RDM.of(settings(classes=3), 10))
    z, label = torch.randn(4, 10), torch.tensor([0, 1, 2, 2])
    frozen = rdm.frozen(label)
    for t in (3, 700, 3):
        torch.testing.assert_close(frozen.clean(z, t), rdm.clean(z, t, label))


def test_the_published_layout_loads_averaged_or_raw() -> None:
    rdm, other = scrambled(RDM.of(settings(), 10)), RDM.of(settings(), 10)
    load_published(other, published(rdm), "file", ema=False)
    torch.testing.assert_close(other.network.state_dict(), rdm.network.state_dict())
    load_published(other, published(rdm), "file")
    torch.testing.assert_close(other.network.out[2].bias, 2 * rdm.network.out[2].bias)


def test_every_tensor_that_does_not_fit_is_named() -> None:
    state = published(RDM.of(settings(), 10))
    del state["model.diffusion_model.input_proj.bias"]
    state["model_ema.diffusion_modelout2bias"] = torch.zeros(11)
    state["surprise"] = torch.zeros(2)
    with pytest.raises(BadWeights) as error:
        load_published(RDM.of(settings(), 10), state, "file.pth")
    for line in (
        "missing model.diffusion_model.input_proj.bias, expected (24,)",
        "model_ema.diffusion_modelout2bias is (11,), expected (10,)",
        "extra surprise, (2,)",
    ):
        assert line in str(error.value)


def test_another_noise_schedule_is_refused() -> None:
    state = published(RDM.of(settings(), 10))
    state["betas"] = state["betas"] * 1.1
    with pytest.raises(BadWeights, match="betas is not that of RCG's schedule"):
        load_published(RDM.of(settings(), 10), state, "file.pth")


def test_a_checkpoint_with_code_is_not_read(tmp_path: Path) -> None:
    torch.save({"model": {"x": torch.zeros(1)}, "args": Path("x")}, tmp_path / "bad.pth")
    with pytest.raises(BadWeights, match="pickled code"):
        load_rdm(tmp_path / "bad.pth", settings(), 10)
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    with pytest.raises(BadWeights, match=r"no entry 'model'.*state_dict"):
        load_rdm(tmp_path / "other.pth", settings(), 10)


@pytest.mark.parametrize("name", ["rdm_published_layout.pth", "rdm_published_layout_namespace.pth"])
def test_recorded_checkpoints_load(name: str, test_data: Path) -> None:
    load_rdm(test_data / "reference" / name, settings(width=32, time_width=16), 16)


def test_the_published_size() -> None:
    with torch.device("meta"):
        rdm = RDM.of(settings(width=1536, blocks=12, time_width=256), 256)
    w, d = 1536, 256
    block = 2 * (2 * w + w * w + w) + (d * w + w)  # twice norm and square layer, then the time embedding's layer
    ends = (d * w + w) + 2 * w + (w * d + d)  # input layer, norm, output layer
    time = (w * d + d) + (d * d + d)
    assert sum(parameter.numel() for parameter in rdm.parameters()) == 12 * block + ends + time


def test_guided_steps_of_the_paper() -> None:
    grid = ddim_grid(Schedule(rdm_betas()), 250, 300)
    assert len(grid) == 75
    assert grid[0].t == 300
    assert grid[-1].t == 1
    assert all(before.alpha_prev == after.alpha for before, after in itertools.pairwise(grid))
    assert len(ddim_timesteps(1000, 60)) == 63


def test_weights_are_cast_once_for_inference() -> None:
    compute = choose("cpu", "bf16")
    rdm = scrambled(RDM.of(settings(), 10))
    z = torch.randn(64, 10)
    expected = rdm.clean(z, 100)
    rdm = compute.inference(rdm)
    with compute.autocast():
        got = rdm.clean(z, 100)
    assert not [name for name, tensor in rdm.named_parameters() if tensor.dim() == 2 and tensor.dtype == torch.float32]
    assert got.dtype == torch.float32
    assert (got - expected).norm() < 0.02 * expected.norm()
