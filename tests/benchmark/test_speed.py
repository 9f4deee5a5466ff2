"""The bench on the smallest sizes: real timings, a ratio for every cell, and what it prints."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from badood.benchmark import plain, speed
from badood.cli import app
from badood.config import load_config
from badood.core.compute import choose
from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.synthesise import synthesiser
from badood.synthesise.rdm import RDM

LITTLE = speed.Load(repeats=1, images=2, plain_images=1, plain_steps=2)


@pytest.mark.slow
def test_every_stage_and_mode_has_a_ratio() -> None:
    result = speed.bench(["small"], list(speed.STAGES), LITTLE)
    assert [(row["stage"], row["mode"]) for row in result["rows"]] == [(s, m) for s in speed.STAGES for m in speed.modes(s)]
    assert len({row["plain_seconds"] for row in result["rows"]}) == len(speed.STAGES)
    for row in result["rows"]:
        assert row["ratio"] == pytest.approx(row["plain_seconds"] / row["seconds"])
        assert row["peak_mb"] > 100
        assert row["weights"] == "trained"
        assert row["mode"] != "default" or row["agreement"] > 0.95
        assert f"| {row['agreement']:.3f} | trained |" in speed.markdown(result)


@pytest.mark.slow
def test_the_command_prints_json() -> None:
    command = ["bench", "--size", "small", "--stage", "encode", "--repeats", "1", "--images", "2", "--json"]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0
    rows = json.loads(printed.stdout)["rows"]
    assert [row["mode"] for row in rows] == speed.modes("encode")


def test_an_unknown_size_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="small, B, L"):
        speed.chosen_sizes(["XL"])


def test_the_plain_loop_and_the_product_make_the_same_outliers() -> None:
    torch.manual_seed(0)
    cfg = load_config("miniworld", ["rdm.width=64", "rdm.blocks=2"])
    rdm = speed.randomised(RDM.of(cfg.rdm, cfg.encoder.dim))
    z0, noise = torch.randn(3, cfg.encoder.dim), Noise(0, np.arange(3))
    method = synthesiser.make("minority", {"scale": 0.05})
    expected = plain.minority(plain.ordinary(rdm, choose("cpu", "fp32")), z0, method, noise)
    got = method.sample(z0, torch.zeros(3, dtype=torch.int64), rdm, noise)
    assert torch.allclose(got, expected, atol=1e-4)
