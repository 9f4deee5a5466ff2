"""Inference in every precision computes what the module computes; nothing outside compute names a device."""

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from badood.core.compute import Compute, choose, forget_peak, has_instructions, peak_rss_mb
from badood.core.errors import BadConfig
from badood.core.packed import Int8, Packed

wide = pytest.mark.skipif(not has_instructions("avx512_bw", "avx512_vl", "avx512_dq"), reason="oneDNN packs bfloat16 for AVX-512 only")
eight_bits = pytest.mark.skipif(not has_instructions("avx512_vnni"), reason="8 bits need AVX-512 VNNI")

BADOOD = Path(__file__).parents[2] / "badood"


def relative(got: Tensor, expected: Tensor) -> float:
    return ((got.float() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "error"), [pytest.param(Packed, 0.004, marks=wide), pytest.param(Int8, 0.015, marks=eight_bits)])
def test_a_packed_layer_computes_the_layer(kind: type[nn.Module], error: float, bias: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(48, 40, bias=bias)
    x = torch.randn(3, 5, 48) * torch.tensor([0.01, 1.0, 100.0])[:, None, None]  # rows of very different size
    got, expected = kind(layer)(x), layer(x)
    assert got.shape == expected.shape
    assert all(relative(row, wanted) < error for row, wanted in zip(got, expected, strict=True))


@eight_bits
def test_a_row_of_zeros_stays_finite_in_8_bits() -> None:
    layer = nn.Linear(16, 4)
    assert torch.allclose(Int8(layer)(torch.zeros(2, 16)).float(), layer.bias.expand(2, 4), atol=0.01)


@eight_bits
def test_a_row_in_8_bits_does_not_depend_on_its_batch() -> None:
    layer, x = Int8(nn.Linear(2048, 8)), torch.randn(300, 2048)
    assert torch.equal(layer(x)[137:138], layer(x[137:138]))


@wide
def test_the_gradient_of_a_packed_layer_reaches_its_input() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(48, 40), torch.randn(7, 48, requires_grad=True)
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    (got,) = torch.autograd.grad(Packed(layer)(x).float().square().sum(), x)
    assert relative(got, expected) < 0.01


@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-6), ("bf16", 0.01), pytest.param("int8", 0.03, marks=eight_bits)])
def test_every_precision_infers_alike(precision: str, error: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.LayerNorm(64), nn.Linear(64, 8)).requires_grad_(False)
    x = torch.randn(50, 32)
    expected = network(x)
    compute = choose("cpu", precision)
    assert relative(compute.map(compute.inference(network), x, 16), expected) < error


@eight_bits
def test_a_guided_network_stays_out_of_8_bits() -> None:
    network = choose("cpu", "int8").inference(nn.Sequential(nn.Linear(8, 8)), guided=True)
    assert isinstance(network[0], Packed)


def test_a_device_that_is_not_there_is_refused() -> None:
    for device in ("cuda:77", "mainframe"):
        with pytest.raises(BadConfig, match=device):
            choose(device, "fp32")


def test_8_bits_on_a_gpu_are_refused() -> None:
    with pytest.raises(BadConfig, match="int8"):
        choose("cuda", "int8")


@eight_bits
def test_8_bits_without_a_compiler_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadConfig, match="no-such-compiler"):
        choose("cpu", "int8")


@eight_bits
def test_8_bits_are_not_compiled_anew_for_every_state_of_torch() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(64, 48).requires_grad_(False), torch.randn(6, 5, 64)
    eight = Int8(layer)
    for dtype in (torch.float32, torch.bfloat16):
        for count in (1, 6):
            eight(x[:count].to(dtype))
    with torch.compiler.set_stance("fail_on_recompile"):
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            assert relative(eight(x + 0), layer(x)) < 0.03
        assert relative(eight(x.flip(0)[:, 1:3]), layer(x.flip(0)[:, 1:3])) < 0.03
        wide = nn.Linear(96, 8).requires_grad_(False)
        assert relative(Int8(wide)(x.repeat(1, 1, 2)[..., :96]), wide(x.repeat(1, 1, 2)[..., :96])) < 0.03


def test_batches_keep_to_the_limit() -> None:
    assert Compute(torch.device("meta"), torch.float32, memory_gb=1.0).batch_size(2**28, 128) == 4
    assert choose("cpu", "fp32", memory_gb=1000).batch_size(2**20, 10_000) == 256
    assert choose("cpu", "fp32").batch_size(2**40, 128) == 1


def test_an_inference_runs_on_any_device() -> None:
    network = Compute(torch.device("meta"), torch.bfloat16).inference(nn.Sequential(nn.Linear(8, 4)))
    assert network(torch.empty(3, 8, device="meta", dtype=torch.bfloat16)).device.type == "meta"


NAMES_A_DEVICE = re.compile(
    r"""\.cuda\(|\.cpu\(\)\.cuda|device\(["'](?:cuda|cpu|mps)|device=["'](?:cuda|cpu|mps)|\.to\(["'](?:cuda|cpu|mps)"""
)


def test_no_module_names_a_device() -> None:
    found = {path.relative_to(BADOOD): NAMES_A_DEVICE.findall(path.read_text()) for path in BADOOD.rglob("*.py")}
    assert not {str(path): names for path, names in found.items() if names and path.name != "compute.py"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell no peak that begins anew")
def test_what_was_freed_in_small_pieces_is_given_back_and_a_peak_begins_anew() -> None:
    pieces = [b"x" * 60_000 for _ in range(4000)]  # 230 MB; too small each to be returned by itself
    last = pieces[-1]
    before = peak_rss_mb()
    del pieces
    forget_peak()
    assert peak_rss_mb() < before - 150
    assert len(last) == 60_000
