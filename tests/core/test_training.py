from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from badood.config import Training
from badood.core.compute import choose
from badood.core.errors import TrainingDiverged
from badood.core.training import EMA, fit, learning_rate, rows_of_step

CPU = choose("cpu", "fp32")
INPUTS = torch.randn(64, 5, generator=torch.Generator().manual_seed(1))
TARGETS = INPUTS @ torch.arange(5.0)


class Cut(Exception):
    """Stands for a kill in the middle of a training."""


def settings(**fields: object) -> Training:
    return Training(epochs=6, batch_size=8, lr=0.05, ema=0.9, checkpoint_seconds=1e-6).model_copy(update=fields)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.2), nn.Linear(8, 1))


def loss_of(module: nn.Module, cut_at: int | None = None):
    calls = iter(range(10**6))

    def loss(rows: Tensor, done: float) -> Tensor:
        if next(calls) == cut_at:
            raise Cut
        return (module(INPUTS[rows])[:, 0] - TARGETS[rows]).square().mean()

    return loss


def test_training_learns() -> None:
    module = model().eval()
    before = loss_of(module)(torch.arange(64), 0.0).item()
    fit(module, loss_of(module), 64, settings(epochs=60), compute=CPU)
    assert loss_of(module)(torch.arange(64), 0.0).item() < before / 10


@pytest.mark.parametrize("cut_at", [1, 13, 47])
def test_a_cut_training_ends_with_the_same_weights(tmp_path: Path, cut_at: int) -> None:
    whole = model()
    expected = fit(whole, loss_of(whole), 64, settings(), compute=CPU)
    torn, checkpoint = model(), tmp_path / "checkpoint.pt"
    with pytest.raises(Cut):
        fit(torn, loss_of(torn, cut_at), 64, settings(), compute=CPU, checkpoint=checkpoint)
    again = model()
    resumed = fit(again, loss_of(again), 64, settings(), compute=CPU, checkpoint=checkpoint)
    assert all(torch.equal(resumed[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_a_damaged_checkpoint_is_told_and_the_training_begins_anew(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = model()
    expected = fit(whole, loss_of(whole), 64, settings(), compute=CPU)
    torn, checkpoint = model(), tmp_path / "checkpoint.pt"
    with pytest.raises(Cut):
        fit(torn, loss_of(torn, 13), 64, settings(), compute=CPU, checkpoint=checkpoint)
    content = bytearray(checkpoint.read_bytes())
    content[content.index(next(iter(torn.parameters())).detach().numpy().tobytes()[:8]) if damage == "flip" else 0] ^= 1
    checkpoint.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    again = model()
    resumed = fit(again, loss_of(again), 64, settings(), compute=CPU, checkpoint=checkpoint)
    assert all(torch.equal(resumed[name], tensor) for name, tensor in expected.items())
    assert "checkpoint.pt is damaged" in caplog.text


def test_nan_loss_stops_names_the_step_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    module, checkpoint = model(), tmp_path / "checkpoint.pt"

    def loss(rows: Tensor, done: float) -> Tensor:
        return module(INPUTS[rows]).sum() * (float("nan") if done >= 0.5 else 1.0)

    with pytest.raises(TrainingDiverged, match=r"step 24 of 48.*lr"):
        fit(module, loss, 64, settings(), compute=CPU, checkpoint=checkpoint)
    kept = torch.load(checkpoint, weights_only=True)
    assert kept["step"] == 24
    assert all(torch.isfinite(tensor).all() for tensor in kept["module"].values())


def test_every_row_is_seen_once_an_epoch() -> None:
    steps = [rows_of_step(40, 8, seed=3, step=step) for step in range(10)]
    for epoch in (steps[:5], steps[5:]):
        assert sorted(torch.cat(epoch).tolist()) == list(range(40))
    assert not torch.equal(torch.cat(steps[:5]), torch.cat(steps[5:]))


def test_learning_rate_warms_up_and_ends_near_zero() -> None:
    rates = [learning_rate(step, 100, 1.0, 0.1) for step in range(100)]
    assert max(rates) == rates[9] == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001


def test_average_follows_and_copies_counters() -> None:
    module = nn.BatchNorm1d(2)
    ema = EMA(module, 0.5)
    module.weight.data.fill_(3.0)
    module.num_batches_tracked.fill_(7)
    for _ in range(40):
        ema.update(module)
    assert torch.allclose(ema.shadow["weight"], torch.tensor(3.0), atol=1e-6)
    assert ema.shadow["num_batches_tracked"] == 7
