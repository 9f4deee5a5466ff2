"""The conformance command: the recorded set passes, anything wrong is a reported failure, never a crash."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from badood.benchmark.conformance import CaseResult, run_conformance
from badood.benchmark.conformance.blas import original_moments
from badood.benchmark.conformance.minority import spaced_steps
from badood.cli import app
from badood.core.errors import BadInput

Change = Callable[[dict[str, Tensor]], None]


@pytest.fixture(scope="session")
def results(reference: Path) -> dict[str, CaseResult]:
    return {result.case: result for result in run_conformance(reference)}


def changed(source: Path, folder: Path, change: Change, name: str | None = None, **settings: object) -> CaseResult:
    """The result of a case whose tensors, and entries of its RDM's settings, were changed; alone in a folder."""
    with safe_open(source, framework="pt") as file:
        header, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(tensors)
    if settings:
        described = json.loads(header["config"])
        header["config"] = json.dumps(described | {"rdm": described["rdm"] | settings})
    save_file(tensors, folder / (name or source.name), metadata=header)
    return run_conformance(folder)[0]


def test_the_recorded_set_passes(reference: Path, results: dict[str, CaseResult]) -> None:
    assert set(results) == {path.stem for path in reference.glob("*.safetensors")}
    assert not {name: result.reason for name, result in results.items() if result.status != "pass"}


def test_differences_stay_below_the_reported_tolerance(results: dict[str, CaseResult]) -> None:
    assert all(result.max_abs_diff <= result.tolerance for result in results.values())


def test_the_originals_arithmetic_is_reported(results: dict[str, CaseResult]) -> None:
    assert "original_selection" in results["dreamood_npos"].reason
    assert "thinned" in results["metrics"].reason
    assert "NaN" in results["minority_guidance_x0"].reason
    assert "vim, residual: original_moments" in results["scorers_features"].reason
    assert "power_iterations=20" in results["scorers_convnet"].reason


def test_a_wrong_output_fails(reference: Path, tmp_path: Path) -> None:
    def shift(tensors: dict[str, Tensor]) -> None:
        tensors["output.x0_pred"] += 1e-3

    result = changed(reference / "rdm_mlp_context.safetensors", tmp_path, shift)
    assert result.status == "fail"
    assert result.max_abs_diff == pytest.approx(1e-3, rel=0.01)
    assert "x0_pred" in result.reason


def test_an_output_nobody_knows_fails(reference: Path, tmp_path: Path) -> None:
    result = changed(reference / "rdm_ema.safetensors", tmp_path, lambda tensors: tensors.update({"output.novel": torch.zeros(1)}))
    assert result.status == "fail"
    assert "not compared: novel" in result.reason


def test_a_scorer_nobody_has_deviates(reference: Path, tmp_path: Path) -> None:
    def add(tensors: dict[str, Tensor]) -> None:
        tensors.update({f"output.{name}.score": torch.zeros(80) for name in ("oracle_x2", "mds_ensemble")})

    result = changed(reference / "scorers_features.safetensors", tmp_path, add)
    assert result.status == "deviates"
    assert "oracle_x2: not provided" in result.reason
    assert "mds_ensemble: not provided" in result.reason


def test_a_parameter_may_stand_in_powers_of_ten(reference: Path, tmp_path: Path) -> None:
    def rename(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if "odin_T1000_e0.0014" in name]:
            tensors[name.replace("odin_T1000_e0.0014", "odin_T1e+03_e1.4e-03")] = tensors.pop(name)

    assert changed(reference / "scorers_convnet.safetensors", tmp_path, rename).status == "pass"


def test_a_chain_keeps_the_originals_steps() -> None:
    # 22 strides of 999 / 44 are 499.5; added up, a last digit less
    assert spaced_steps(1000, [45])[22] == 499
    assert spaced_steps(1000, [4]) == [0, 333, 666, 999]
    assert spaced_steps(10, [2, 1]) == [0, 4, 5]


def test_missing_extra_and_misshapen_weights_are_named(reference: Path, tmp_path: Path) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors["weights.input_proj.bias"] = torch.zeros(7)
        tensors["weights.novel"] = torch.zeros(1)
        del tensors["weights.input_proj.weight"]

    result = changed(reference / "rdm_mlp_uncond.safetensors", tmp_path, spoil)
    assert result.status == "fail"
    assert all(text in result.reason for text in ("input_proj.bias", "(32,)", "novel", "input_proj.weight", "(32, 16)"))


def without_images(tensors: dict[str, Tensor]) -> None:
    for name in ("input.images", "output.rep", *[name for name in tensors if name.startswith("output.train.")]):
        tensors.pop(name, None)


@pytest.mark.parametrize("name", ["rdm_published_io", "mage_model"])
def test_a_case_without_images_is_compared_in_what_it_holds(reference: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(reference / "rdm_published_layout.pth", tmp_path)
    result = changed(reference / f"{name}.safetensors", tmp_path, without_images)
    assert result.status == "pass", result.reason


def test_a_tokenizer_case_without_images_is_compared_in_what_it_holds(reference: Path, tmp_path: Path) -> None:
    def keep_decoded(tensors: dict[str, Tensor]) -> None:
        for name in [name for name in tensors if name.startswith("output.") and name not in ("output.codebook_entry", "output.decoded")]:
            del tensors[name]
        del tensors["input.images"]

    result = changed(reference / "mage_vqgan.safetensors", tmp_path, keep_decoded)
    assert result.status == "pass", result.reason


@pytest.mark.parametrize("name", ["rdm_published_io", "mage_vqgan", "mage_model"])
def test_outputs_of_images_that_are_not_there_fail_with_what_is_missing(reference: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(reference / "rdm_published_layout.pth", tmp_path)
    result = changed(reference / f"{name}.safetensors", tmp_path, lambda tensors: tensors.__delitem__("input.images"))
    assert result.status == "fail"
    assert "holds no input.images" in result.reason


@pytest.mark.parametrize("name", ["rdm_published_io", "rdm_ddim_uncond"])
def test_the_input_scale_of_the_original_is_applied(reference: Path, tmp_path: Path, name: str) -> None:
    def scale(tensors: dict[str, Tensor]) -> None:
        for key, tensor in tensors.items():
            if "sample" in key:  # RCG divides what its sampler returns, not what it logs
                tensors[key] = tensor / 3
            if key == "output.rep":
                tensors[key] = tensor * 3

    shutil.copy(reference / "rdm_published_layout.pth", tmp_path)
    scaled = changed(reference / f"{name}.safetensors", tmp_path, scale, input_scale=3.0)
    assert scaled.status == "pass", scaled.reason
    assert changed(reference / f"{name}.safetensors", tmp_path, lambda tensors: None, input_scale=3.0).status == "fail"


def test_an_unknown_family_fails_with_the_known_ones(reference: Path, tmp_path: Path) -> None:
    save_file({"output.y": torch.zeros(1)}, tmp_path / "telepathy.safetensors")
    (result,) = run_conformance(tmp_path)
    assert result.status == "fail"
    assert "telepathy" in result.reason
    assert "rdm_mlp" in result.reason


def test_a_broken_file_fails_and_the_others_still_run(reference: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors here")
    shutil.copy(reference / "rdm_ema.safetensors", tmp_path)
    assert [result.status for result in run_conformance(tmp_path)] == ["fail", "pass"]


def test_a_published_case_without_its_checkpoint_says_so(reference: Path, tmp_path: Path) -> None:
    shutil.copy(reference / "mocov3_published_io.safetensors", tmp_path)
    (result,) = run_conformance(tmp_path)
    assert result.status == "fail"
    assert "mocov3_published_layout.pth.tar" in result.reason


def test_pickled_code_is_not_run(reference: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    shutil.copy(reference / "mocov3_published_io.safetensors", tmp_path)
    torch.save({"state_dict": Trap()}, tmp_path / "mocov3_published_layout.pth.tar")
    (result,) = run_conformance(tmp_path)
    assert result.status == "fail"
    assert "pickled code" in result.reason
    assert not (tmp_path / "ran").exists()


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no case files"):
        run_conformance(tmp_path)


def test_the_command_prints_json_and_exits_with_1_on_a_failure(reference: Path, tmp_path: Path) -> None:
    shutil.copy(reference / "rdm_ema.safetensors", tmp_path)
    good = CliRunner().invoke(app, ["conformance", str(tmp_path), "--json"])
    (tmp_path / "broken.safetensors").write_bytes(b"")
    bad = CliRunner().invoke(app, ["conformance", str(tmp_path), "--json"])
    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert set(json.loads(good.output)[0]) == {"case", "max_abs_diff", "tolerance", "status", "reason"}
    assert [entry["status"] for entry in json.loads(bad.output)] == ["fail", "pass"]


@pytest.mark.parametrize(("output", "share"), [("vim_d12.score", 1e-4), ("residual_d12.score", 1e-4), ("vim_d12.origin", 1e-3)])
def test_a_wrong_principal_space_fails(reference: Path, tmp_path: Path, output: str, share: float) -> None:
    def shift(tensors: dict[str, Tensor]) -> None:
        tensors[f"output.{output}"] *= 1 + share

    result = changed(reference / "scorers_convnet.safetensors", tmp_path, shift)
    assert result.status == "fail"
    assert output in result.reason


@pytest.mark.parametrize("rows", [1, 100, 320, 321, 500, 1000])
def test_moments_are_those_of_the_recording_machine(rows: int) -> None:
    centred = torch.randn(rows, 24, generator=torch.Generator().manual_seed(rows)) + 3
    code = "import sys, numpy; c = numpy.load(sys.argv[1]); numpy.save(sys.argv[1], c.T @ c / numpy.float32(len(c)))"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        np.save(path, centred.numpy())
        environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=environment)
        recorded = torch.from_numpy(np.load(path))
    if not torch.equal(recorded, original_moments(centred)):
        # another BLAS, or another processor family: the same sums up to rounding
        assert not _is_openblas_on_avx2()
        torch.testing.assert_close(recorded, original_moments(centred))


def _is_openblas_on_avx2() -> bool:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    return "openblas" in blas and torch.cpu.get_capabilities().get("avx2", False)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["Nehalem", "Haswell", "SkylakeX"])
def test_scorers_pass_on_every_blas_kernel(reference: Path, tmp_path: Path, kernel: str) -> None:
    for name in ("scorers_convnet", "scorers_features"):
        shutil.copy(reference / f"{name}.safetensors", tmp_path)
    command = [sys.executable, "-m", "badood", "conformance", str(tmp_path), "--json"]
    run = subprocess.run(command, env=os.environ | {"OPENBLAS_CORETYPE": kernel}, capture_output=True, text=True, check=False)
    if run.returncode == -signal.SIGILL:
        pytest.skip(f"this CPU lacks instructions of {kernel}")
    assert run.returncode == 0, run.stdout
