"""Energy, phi and the loss of eq. 3 to 5."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from badood.detect.energy_loss import MonotonePhi, energy, make_phi, rank_correlation, uncertainty_loss

energies = st.lists(st.floats(-200, 100, width=32), min_size=2, max_size=30, unique=True)


def test_energy_is_minus_log_of_the_sum() -> None:
    logits = torch.tensor([[0.0, 0.0], [3.0, -1000.0]])
    assert energy(logits).tolist() == pytest.approx([-math.log(2), -3.0])


def test_loss_is_zero_when_separated_and_log_4_when_undecided() -> None:
    far = torch.full((5,), 60.0)
    assert uncertainty_loss(-far, far).item() == pytest.approx(0, abs=1e-12)
    assert uncertainty_loss(torch.zeros(3), torch.zeros(7)).item() == pytest.approx(math.log(4))


@given(energies, st.integers(0, 10_000))
def test_monotone_phi_keeps_the_order_whatever_it_has_learnt(values: list[float], seed: int) -> None:
    torch.manual_seed(seed)
    phi = MonotonePhi(8)
    for parameter in phi.parameters():
        torch.nn.init.normal_(parameter, std=2.0)
    out = phi(torch.tensor(sorted(values)))
    assert (out.diff() >= 0).all()
    assert out[-1] > out[0] or max(values) - min(values) < 1e-3


@pytest.mark.parametrize("kind", ["monotone", "mlp"])
def test_phi_learns_a_threshold(kind: str) -> None:
    torch.manual_seed(0)
    known, odd = torch.randn(200) - 9, torch.randn(200) - 3
    phi = make_phi(kind, 16)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(phi.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        uncertainty_loss(phi(known), phi(odd)).backward()
        optimizer.step()
    assert (phi(known) < 0).float().mean() > 0.97
    assert (phi(odd) > 0).float().mean() > 0.97


def test_rank_correlation_tells_the_direction() -> None:
    known, odd = torch.arange(10.0), torch.arange(10.0) + 20
    assert rank_correlation(known, odd) > 0.8
    assert rank_correlation(odd, known) < -0.8
    assert rank_correlation(torch.ones(3), torch.ones(4)) == 0
