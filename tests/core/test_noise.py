import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from badood.core.noise import Noise, derive_seed

ROWS = np.arange(2000, dtype=np.int64)


@given(st.integers(0, 2**31), st.lists(st.integers(0, 10**9), min_size=1, max_size=20, unique=True), st.integers(1, 9))
def test_a_row_gets_its_numbers_whatever_the_batch(seed: int, rows: list[int], width: int) -> None:
    together = Noise(seed, np.array(rows)).normal((width,), "step", 3)
    alone = torch.cat([Noise(seed, np.array([row])).normal((width,), "step", 3) for row in rows])
    assert torch.equal(together, alone)


def test_tags_seeds_and_rows_give_different_numbers() -> None:
    noise = Noise(0, ROWS[:2])
    first = noise.uniform((64,), "a")
    for other in (noise.uniform((64,), "b"), Noise(1, ROWS[:2]).uniform((64,), "a"), first.flip(0)):
        assert not torch.isclose(first, other).any()


def test_distributions() -> None:
    noise = Noise(5, ROWS)
    assert stats.kstest(noise.uniform((20,), "u").flatten().numpy(), "uniform").pvalue > 0.001
    assert stats.kstest(noise.normal((20,), "n").flatten().numpy(), "norm").pvalue > 0.001
    assert stats.kstest(noise.gumbel((20,), "g").flatten().numpy(), "gumbel_r").pvalue > 0.001


def test_rows_and_positions_are_uncorrelated() -> None:
    values = Noise(9, ROWS).normal((8,), "n")
    assert torch.corrcoef(values.T).fill_diagonal_(0).abs().max() < 0.1
    assert abs(np.corrcoef(values[:-1, 0], values[1:, 0])[0, 1]) < 0.1


def test_seeds_are_stable_across_processes() -> None:
    assert derive_seed("run", 3) == 8818804339882124674
