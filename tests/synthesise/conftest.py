"""A tiny RDM trained on a Gaussian mixture: small enough for seconds, trained enough for likelihoods to mean something."""

import pytest
import torch
from torch import Tensor

from badood import config
from badood.core.compute import choose
from badood.core.training import fit
from badood.synthesise.rdm import RDM, rdm_loss

DIM = 16


@pytest.fixture(scope="session")
def mixture() -> tuple[Tensor, Tensor]:
    """Four classes of 500 standardised rows each: (2000, 16) embeddings and their labels."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(2000) % 4
    z0 = 2 * torch.randn(4, DIM, generator=draw)[labels] + 0.3 * torch.randn(2000, DIM, generator=draw)
    std, mean = torch.std_mean(z0, dim=1, keepdim=True)
    return (z0 - mean) / std, labels


@pytest.fixture(scope="session")
def rdm(mixture: tuple[Tensor, Tensor]) -> RDM:
    """Trained through the product's own loop."""
    torch.manual_seed(0)
    cfg = config.RDM(epochs=100, batch_size=250, lr=3e-3, width=64, blocks=2, time_width=32, ema=0.99)
    model = RDM.of(cfg, DIM)
    model.load_state_dict(
        fit(model, rdm_loss(model, mixture[0], choose("cpu", "fp32")), len(mixture[0]), cfg, compute=choose("cpu", "fp32"))
    )
    return model.eval().requires_grad_(False)
