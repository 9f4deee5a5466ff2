"""Run recorded cases: read a file, find its family, compare every tensor it holds."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import EllipsisType
from typing import Any, Literal

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from badood.core import weights
from badood.core.compute import Compute, choose
from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.core.registry import Registry

FP32 = 1e-5
"""Tolerance of a single pass, relative to the largest value of the output."""
LONG = 1e-4
"""Tolerance of the VQGAN and of long sampling loops."""


@dataclass(frozen=True)
class CaseResult:
    """Outcome of one case.

    Attributes:
        case: its name.
        max_abs_diff, tolerance: of the output that comes closest to its tolerance, or leaves it farthest; absolute.
        status: "deviates" where the product deliberately has no such mode.
        reason: what failed, what deviates, which flags of the original's arithmetic were used; may be empty for a pass.
    """

    case: str
    max_abs_diff: float
    tolerance: float
    status: Literal["pass", "fail", "deviates"]
    reason: str


@dataclass(frozen=True)
class Case:
    """One recorded case.

    Attributes:
        path: its file.
        header: the file's header, JSON decoded where it is JSON.
        tensors: by their names in the file, on the compute's device.
        compute: where the networks run.
    """

    path: Path
    header: dict[str, Any]
    tensors: dict[str, Tensor]
    compute: Compute

    @property
    def name(self) -> str:
        """The case's own name."""
        return str(self.header.get("case", self.path.stem))

    @property
    def config(self) -> dict[str, Any]:
        """Sizes, steps and variants of the recorded call."""
        return self.header["config"]

    def input(self, name: str) -> Tensor:
        """An input tensor.

        Raises:
            BadInput: the case does not hold it, though outputs that it records are made from it.
        """
        return self._tensor(f"input.{name}")

    def output(self, name: str) -> Tensor:
        """A recorded output.

        Raises:
            BadInput: the case does not hold it.
        """
        return self._tensor(f"output.{name}")

    def _tensor(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise BadInput(f"the case holds no {name}, which belongs to what it records; record it again.")
        return self.tensors[name]

    def outputs(self, prefix: str = "") -> list[str]:
        """Names of the recorded outputs that begin with `prefix`, without "output."."""
        names = (name.removeprefix("output.") for name in self.tensors if name.startswith("output."))
        return [name for name in names if name.startswith(prefix)]

    def state(self, prefix: str = "weights.") -> dict[str, Tensor]:
        """The state dict under a prefix, original names."""
        return {name.removeprefix(prefix): tensor for name, tensor in self.tensors.items() if name.startswith(prefix)}

    def companion(self) -> Path:
        """The checkpoint that the header says this case goes with.

        Raises:
            BadInput: the header names none, or it is not beside the case.
        """
        names = re.findall(r"[\w.-]+\.(?:pth\.tar|pth|ckpt)\b", str(self.header.get("what", "")))
        if not names or not (self.path.parent / names[0]).is_file():
            raise BadInput(f"{self.path} goes with {names[0] if names else 'a checkpoint'}, which is not beside it; put it there.")
        return self.path.parent / names[0]


@dataclass(frozen=True)
class Replay(Noise):
    """Recorded draws in the place of random ones.

    Attributes:
        draw: takes the tag under which the product asks, returns the recorded (N, ...) draw.
    """

    draw: Callable[..., Tensor]

    def normal(self, shape: tuple[int, ...], *tag: object) -> Tensor:
        """The recorded draw."""
        return self.draw(*tag)


def replay(draw: Callable[..., Tensor]) -> Replay:
    """Noise that hands out recorded draws by their tags."""
    return Replay(0, np.arange(0), draw)


@dataclass
class Check:
    """Compares what the product computes with what a case recorded."""

    case: Case
    gaps: list[tuple[float, float, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def close(self, name: str, got: Tensor, tolerance: float = FP32, *, rows: Tensor | EllipsisType = ...) -> None:
        """Compare with output `name`; integers and booleans must be equal, floats within `tolerance` of its largest value.

        Args:
            rows: which rows of both, (N,) bool on the CPU; all by default.
        """
        self.seen.add(name)
        self.same(name, got.cpu()[rows], self.case.output(name).cpu()[rows], tolerance)

    def same(self, name: str, got: Tensor, expected: Tensor, tolerance: float = FP32) -> None:
        """Compare with a part of an output, under a name of its own; as `close`."""
        expected = expected.cpu()
        got = got.detach().cpu()
        if got.shape != expected.shape:
            self.gaps.append((float("inf"), 0.0, f"{name} has shape {tuple(got.shape)}, recorded {tuple(expected.shape)}"))
            return
        self.gaps.append((*_gap(got, expected, tolerance), name))

    def remark(self, text: str) -> None:
        """Report which of the original's own ways the comparison asked for."""
        if text not in self.remarks:
            self.remarks.append(text)

    def deviates(self, names: list[str], reason: str) -> None:
        """Outputs that the product deliberately does not have."""
        self.seen.update(names)
        self.deviations.append(reason)

    def result(self) -> CaseResult:
        """The verdict; an output that nobody compared is a failure."""
        forgotten = sorted(set(self.case.outputs()) - self.seen)
        broken = [f"{name}: off by {gap:.3g}, allowed {allowed:.3g}" for gap, allowed, name in self.gaps if not gap <= allowed]
        broken += [f"not compared: {', '.join(forgotten)}"] if forgotten else []
        gap, allowed, _ = max(self.gaps, key=_nearness, default=(0.0, 0.0, ""))
        status: Literal["pass", "fail", "deviates"] = "fail" if broken else "deviates" if self.deviations else "pass"
        return CaseResult(self.case.name, gap, allowed, status, "; ".join([*broken, *self.deviations, *self.remarks]))


def _gap(got: Tensor, expected: Tensor, tolerance: float) -> tuple[float, float]:
    """Largest absolute difference and what is allowed; recorded NaN and infinity must come back as they are."""
    if not expected.is_floating_point():
        tolerance = 0.0
    got, expected = got.double(), expected.double()
    finite = expected.isfinite()
    if not torch.equal(got[~finite].nan_to_num(nan=0.5), expected[~finite].nan_to_num(nan=0.5)):
        return float("inf"), 0.0
    if not finite.any():
        return 0.0, 0.0
    largest = float(expected[finite].abs().max())
    return float((got[finite] - expected[finite]).abs().nan_to_num(nan=float("inf")).max()), tolerance * largest


def _nearness(gap: tuple[float, float, str]) -> float:
    """How far into its tolerance a difference reaches; above 1 it has left it."""
    return gap[0] / gap[1] if gap[1] else gap[0] and float("inf")


Family = Callable[[Case, Check], None]
"""Recomputes the outputs of a case with the product and hands each to the check."""

family: Registry[Family] = Registry("case family", "badood.benchmark.conformance")
"""All families; `@family("name")` adds one. It takes the cases whose name holds its own."""


def read_case(path: Path, compute: Compute) -> Case:
    """A case file with its tensors on the compute's device."""
    tensors = {name: compute.put(tensor) for name, tensor in weights.read(path).items()}
    with safe_open(path, framework="pt") as file:
        header = {key: _decoded(value) for key, value in (file.metadata() or {}).items()}
    return Case(path, header, tensors, compute)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def find_family(case: Case) -> Family:
    """The family whose name is the longest that the case's name, or its file's, holds.

    Raises:
        BadInput: there is none.
    """
    names = [name for name in family if name in case.name or name in case.path.stem]
    if not names:
        raise BadInput(f"no family knows case {case.name!r}; there are {', '.join(family)}.")
    return family[max(names, key=len)]


def run_case(path: Path, compute: Compute) -> CaseResult:
    """One case. Whatever goes wrong in it is its result, so that the other cases still run."""
    try:
        case = read_case(path, compute)
        check = Check(case)
        find_family(case)(case, check)
        return check.result()
    except Exception as error:
        return CaseResult(path.stem, float("inf"), 0.0, "fail", f"{type(error).__name__}: {error}")


def run_conformance(folder: Path, compute: Compute | None = None) -> list[CaseResult]:
    """Compare the product with every case file of a folder.

    Args:
        folder: holds `*.safetensors` in the layout of the reference set, and the checkpoints that go with them.
        compute: what to check; default the CPU in float32.

    Raises:
        BadInput: the folder holds no case.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; give the folder of the recorded reference tensors.")
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise BadInput(f"{folder} holds no case files (*.safetensors); give the folder of the recorded reference tensors.")
    compute = compute or choose("cpu", "fp32")
    return [run_case(path, compute) for path in paths]
