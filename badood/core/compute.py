"""Where and how tensors are computed: device, dtype, batch sizes. Nothing outside this file names a device or a dtype."""

import ctypes
import math
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import psutil
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from badood.core.errors import BadConfig
from badood.core.packed import Int8, Packed, packed
from badood.core.progress import Progress, Silent
from badood.core.ranks import ALONE, Ranks, local_rank, ranks
from badood.core.rows import Rows

M = TypeVar("M", bound=nn.Module)

CPU_BATCH_GB = 0.25
"""Larger batches are slower on a CPU: what one layer writes has left the caches before the next reads it."""


@dataclass(frozen=True)
class Compute:
    """A device with the dtype to infer and train in.

    Attributes:
        device: where tensors live.
        dtype: of autocast; float32 turns it off.
        memory_gb: upper limit for what a batch may take, in GB; batch sizes are cut to it.
        int8: 8-bit linear layers where inference needs no gradient; on CPUs only.
        ranks: the processes that share the work.
    """

    device: torch.device
    dtype: torch.dtype
    memory_gb: float = 2.0
    int8: bool = False
    ranks: Ranks = ALONE

    @property
    def precision(self) -> Literal["fp32", "bf16", "int8"]:
        """What `choose` makes the same of."""
        return "int8" if self.int8 else "fp32" if self.dtype == torch.float32 else "bf16"

    @property
    def on_gpu(self) -> bool:
        """Whether it takes a GPU that somebody hands out."""
        return self.device.type == "cuda"

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision in `dtype`, or nothing for float32."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Autocast with the attention kernel to learn under: on a CPU the plain one, whose backward pass is the faster at short lengths."""
        kernel = sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext()
        with self.autocast(), kernel:
            yield

    @property
    def _on_cpu_in_bf16(self) -> bool:
        return self.device.type == "cpu" and self.dtype == torch.bfloat16

    def place(self, module: M) -> M:
        """The module on the device, laid out as its kernels prefer: convolution weights channels-last, which GPUs like too.

        On a CPU in bfloat16 timm's attention runs as two products and a softmax: the fused kernel takes half as long again there, and its
        backward pass ten times as long.
        """
        if self._on_cpu_in_bf16:
            unfuse_attention(module)
        return module.to(self.device).to(memory_format=torch.channels_last)

    def inference(self, module: M, *, guided: bool = False) -> M:
        """The module placed, in eval mode and without parameter gradients, to be called under `autocast`.

        Weights of linear and convolution layers take `dtype` here, once; autocast would cast them again at every call. On a CPU in
        bfloat16 linear layers are packed for oneDNN as well.

        Args:
            guided: gradients of its input will be asked for, so it stays out of 8 bits.
        """
        module = self.place(module).eval().requires_grad_(False)
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                layer.to(self.dtype)
        if self._on_cpu_in_bf16 and has_instructions("avx512_bw", "avx512_vl", "avx512_dq"):
            packed(module, Int8 if self.int8 and not guided else Packed)
        return module

    def put(self, tensor: Tensor) -> Tensor:
        """The tensor on the device."""
        return tensor.to(self.device, non_blocking=True)

    def batch_size(self, bytes_per_row: int, most: int) -> int:
        """The largest batch, at most `most`, whose rows fit into `memory_gb`, on a CPU into what its caches gain by; never below 1."""
        limit = min(self.memory_gb, CPU_BATCH_GB) if self.device.type == "cpu" else self.memory_gb
        return max(1, min(most, int(limit * 2**30) // max(1, bytes_per_row)))

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def device_name(self) -> str:
        """What the device is called by its maker, as far as the system tells."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        cpuinfo = Path("/proc/cpuinfo")
        lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
        return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())

    def peak_memory_mb(self) -> float:
        """Most memory that tensors took on a GPU, or this process in all on a CPU, so far, in MB."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20
        return peak_rss_mb()

    @torch.inference_mode()
    def map(
        self,
        function: Callable[[Tensor], Tensor],
        rows: Tensor | Sequence[Tensor] | Rows,
        batch_size: int,
        *,
        stage: str = "compute",
        progress: Progress | None = None,
    ) -> Tensor:
        """`function` over `rows` in batches, under autocast, results on the CPU as float32 (integers stay integers)."""
        progress = progress or Silent()
        results: list[Tensor] = []
        mine = self.ranks.share(len(rows))
        for first in range(mine.start, mine.stop, batch_size):
            batch = rows[first : min(first + batch_size, mine.stop)]
            batch = batch if isinstance(batch, Tensor) else torch.stack(list(batch))
            with self.autocast():
                out = function(self.put(batch))
            results.append((out.float() if out.is_floating_point() else out).cpu())
            progress.update(stage, min(first + batch_size, mine.stop) - mine.start, mine.stop - mine.start)
        return torch.cat(self.ranks.collected(results))


def unfuse_attention(module: nn.Module) -> None:
    """Have timm's attention layers compute two products and a softmax in the place of a fused kernel."""
    for layer in module.modules():
        if hasattr(layer, "fused_attn"):
            layer.fused_attn = False  # type: ignore[assignment]


def choose(device: str = "auto", precision: str = "auto", threads: int = 0, memory_gb: float = 2.0) -> Compute:
    """The compute for a wish.

    Args:
        device: "auto" takes CUDA, then MPS, then the CPU; else a torch device name.
        precision: "auto" takes bfloat16 where the hardware multiplies it natively and, on a CPU, faster than float32, else float32; or
            "fp32", "bf16", "int8" (bf16 with 8-bit linear layers, on a CPU with a C++ compiler).
        threads: CPU threads, 0 leaves torch's choice.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        if device == "cuda" and ranks().count > 1:
            device = f"cuda:{local_rank()}"
            torch.cuda.set_device(device)  # what NCCL and object exchange go by
    if threads:
        torch.set_num_threads(threads)
    if precision == "int8" and not device.startswith("cpu"):
        raise BadConfig(f"compute.precision is int8, which only CPUs have here, and the device is {device}; take auto or bf16.")
    place = _present(device)
    if precision == "auto":
        precision = "bf16" if _gains_by_bf16(place) else "fp32"
    if precision == "int8" and not has_instructions("avx512_vnni"):
        raise BadConfig("compute.precision is int8, for which oneDNN needs AVX-512 VNNI, and this CPU has none; take auto, bf16 or fp32.")
    if precision == "int8" and shutil.which(compiler := os.environ.get("CXX", "g++")) is None:
        raise BadConfig(
            f"compute.precision is int8, for which torch.compile needs a C++ compiler, and {compiler} is not there; "
            "install it, name another in the environment variable CXX, or take auto or bf16."
        )
    return Compute(place, torch.float32 if precision == "fp32" else torch.bfloat16, memory_gb, int8=precision == "int8", ranks=ranks())


def on_host() -> AbstractContextManager[object]:
    """New tensors have values inside, also where those around have shapes only (torch's meta device)."""
    return torch.device("cpu")


def has_instructions(*names: str) -> bool:
    """Whether this CPU has all of these, by the names of `torch.cpu.get_capabilities`."""
    found = torch.cpu.get_capabilities()
    return all(found.get(name, False) for name in names)


def _present(device: str) -> torch.device:
    """The device of a name, if this machine has it."""
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:  # the latter is what a torch without CUDA says
        raise BadConfig(
            f"compute.device is {device!r}, which torch cannot use here ({str(error).splitlines()[0]}); take auto or cpu."
        ) from error
    return place


def _gains_by_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # a CPU may know the instructions and yet be slower in them than in float32: some virtual machines hide AMX and leave AVX-512's
    return device.type == "cpu" and has_instructions("avx512_bf16") and product_seconds_ratio() > 1.2


@cache
@torch.inference_mode()
def product_seconds_ratio() -> float:
    """How many times as long a matrix product takes in float32 as in bfloat16 on this CPU, best of a few."""
    best = dict.fromkeys((torch.float32, torch.bfloat16), math.inf)
    for dtype in list(best) * 6:  # by turns, so that what else the machine does meets both
        left, right = torch.ones(512, 512, dtype=dtype), torch.ones(512, 2048, dtype=dtype)
        start = time.perf_counter()
        left @ right
        best[dtype] = min(best[dtype], time.perf_counter() - start)
    return best[torch.float32] / best[torch.bfloat16]


def forget_peak() -> None:
    """Give freed memory back to the system, and have `peak_rss_mb` begin anew (Linux only).

    glibc keeps what was freed in small pieces: a third of a run's memory at its peak, which nobody uses.
    """
    if sys.platform != "linux":
        return
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:  # other C libraries have none
        trim(0)
    with suppress(PermissionError):  # a container may forbid it: peaks are then those of the process so far
        Path("/proc/self/clear_refs").write_text("5")


def peak_rss_mb() -> float:
    """Largest resident memory of this process since `forget_peak`, in MB."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(found.group(1)) / 2**10  # unlike getrusage's, not that of the process it was forked from
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource  # Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
