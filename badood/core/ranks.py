"""Several processes of one machine that do one run together, a GPU each: `torchrun --nproc-per-node N -m badood run`.

Every process takes the same steps. Where rows are independent each computes its share and all get the whole; in training each
takes its share of the batch and gradients are averaged. Only the first one writes and speaks.
"""

import atexit
import datetime
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

# torch is imported where it is needed: the dashboard looks at runs without its 500 MB

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """The processes of a run; methods that exchange something must be called by all of them, in the same order.

    Attributes:
        rank: number of this process. count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """This process's part of n rows; the parts follow each other in order of rank and differ by one row at most."""
        return slice(self.rank * n // self.count, (self.rank + 1) * n // self.count)

    def collected(self, own: list[T]) -> list[T]:
        """The lists of all processes one behind the other, for every process."""
        if self.count == 1:
            return own
        import torch.distributed as dist

        parts: list[list[T]] = [[] for _ in range(self.count)]
        dist.all_gather_object(parts, own)
        return [entry for part in parts for entry in part]

    def agreed(self, value: T) -> T:
        """The first process's value."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box)
        return box[0]

    def gathered(self, rows: "Tensor") -> "Tensor":
        """(N, ...) rows of every process -> (count * N, ...) on every process, without gradient; N must be the same for all."""
        if self.count == 1:
            return rows
        import torch
        import torch.distributed as dist

        parts = [torch.empty_like(rows) for _ in range(self.count)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def average(self, tensors: "Iterable[Tensor]") -> None:
        """Put the mean over all processes in the place of each tensor."""
        if self.count == 1:
            return
        import torch.distributed as dist

        for tensor in tensors:
            dist.all_reduce(tensor)
            tensor.div_(self.count)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            import torch.distributed as dist

            dist.barrier()


ALONE = Ranks()


@cache
def ranks() -> Ranks:
    """The processes that torchrun started; this one alone without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    import torch.distributed as dist

    # its functions take the group that exists at their import for a default and so would keep it, with its threads, beyond
    # its end; torch's optimizers import it at their first use
    import torch.distributed.nn  # noqa: F401

    # torchrun ends the others where one dies; one that works alone for hours, while it reads images for instance, is no failure
    dist.init_process_group(timeout=datetime.timedelta(days=7))  # gloo for what lies on the CPU, NCCL for what lies on GPUs
    atexit.register(dist.destroy_process_group)  # a thread of it that outlives the interpreter aborts the process
    return Ranks(dist.get_rank(), dist.get_world_size())


def local_rank() -> int:
    """Number of this process on its machine, which is the GPU it takes."""
    return int(os.environ.get("LOCAL_RANK", "0"))
