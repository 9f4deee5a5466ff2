"""Every synthesiser: an outlier an anchor, the same in any batch; settings are fields, and construction does no work."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from badood import config
from badood.core.errors import BadConfig
from badood.core.noise import Noise
from badood.synthesise import Synthesiser, synthesiser
from badood.synthesise.rdm import RDM

DIM = 16


@pytest.fixture(scope="module")
def rdm() -> RDM:
    """Untrained: what is asked here holds for any weights."""
    torch.manual_seed(0)
    return RDM.of(config.RDM(epochs=1, batch_size=2, lr=0.1, width=32, blocks=1, time_width=16), DIM).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def known() -> tuple[Tensor, Tensor]:
    """400 standardised embeddings of two classes."""
    labels = torch.arange(400) % 2
    z0 = torch.randn(400, DIM, generator=torch.Generator().manual_seed(0)) + 3 * torch.nn.functional.one_hot(labels, DIM)
    std, mean = torch.std_mean(z0, dim=1, keepdim=True)
    return (z0 - mean) / std, labels


@pytest.fixture(params=sorted(synthesiser))
def fitted(request: pytest.FixtureRequest, known: tuple[Tensor, Tensor]) -> Synthesiser:
    made: Synthesiser = synthesiser.make(request.param, {"scale": 0.05})
    return made.fit(*known)


def sampled(method: Synthesiser, known: tuple[Tensor, Tensor], rdm: RDM, rows: np.ndarray, seed: int = 0) -> Tensor:
    z0, labels = (part[torch.from_numpy(rows)] for part in known)
    return method.sample(z0, labels, rdm, Noise(seed, rows)).detach()


def test_there_is_one_finite_outlier_for_each_anchor(fitted: Synthesiser, known: tuple[Tensor, Tensor], rdm: RDM) -> None:
    before = [part.clone() for part in known]
    made = sampled(fitted, known, rdm, np.arange(8))
    assert (made.shape, made.dtype) == ((8, DIM), torch.float32)
    assert made.isfinite().all()
    assert not torch.allclose(made, known[0][:8]), "an outlier is not its anchor"
    assert all(torch.equal(part, old) for part, old in zip(known, before, strict=True)), "the ID embeddings stay as they are"


def test_an_outlier_is_the_same_in_any_batch_and_other_seeds_make_others(
    fitted: Synthesiser, known: tuple[Tensor, Tensor], rdm: RDM
) -> None:
    rows = np.array([3, 40, 7, 200, 11])
    together = sampled(fitted, known, rdm, rows)
    alone = torch.cat([sampled(fitted, known, rdm, rows[[place]]) for place in range(len(rows))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(together, sampled(fitted, known, rdm, rows))
    assert not torch.equal(together, sampled(fitted, known, rdm, rows, seed=1))


def test_settings_are_fields_and_what_is_learnt_ends_in_an_underscore(fitted: Synthesiser) -> None:
    fields = {field.name for field in dataclasses.fields(fitted)}
    assert "scale" in fields
    assert all(name in fields or name.rstrip().endswith("_") or name.startswith("_") for name in vars(fitted))
    assert 0 <= fitted.t <= 1000
    assert pickle.loads(pickle.dumps(fitted)).scale == fitted.scale


@pytest.mark.parametrize("name", sorted(synthesiser))
def test_wrong_settings_are_named(name: str) -> None:
    for params, said in (({"scale": -1}, "scale"), ({"scale": 0.1, "sclae": 2}, "did you mean scale")):
        with pytest.raises(BadConfig, match=said):
            synthesiser.check(name, params)
