"""The one training loop: seeded order, warm-up and cosine, EMA, checkpoints, resume.

Step i draws its rows and its randomness from (seed, i) alone, so a run that was cut off and resumed ends with the very
weights of one that was not.
"""

import logging
import math
import pickle
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from badood.core.artefacts import atomic_file
from badood.core.compute import Compute
from badood.core.errors import TrainingDiverged
from badood.core.noise import generator
from badood.core.progress import Progress, Silent
from badood.core.ranks import Ranks
from badood.core.seeds import derive_seed

_log = logging.getLogger(__name__)

Loss = Callable[[Tensor, float], Tensor]
"""(rows (B,) int64, share of the training done in [0, 1]) -> scalar loss."""


class Training(Protocol):
    """The settings the loop reads; `badood.config.Training` documents them."""

    @property
    def epochs(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def optimizer(self) -> str: ...
    @property
    def lr(self) -> float: ...
    @property
    def warmup(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def clip(self) -> float | None: ...
    @property
    def ema(self) -> float | None: ...
    @property
    def checkpoint_seconds(self) -> float: ...
    @property
    def seed(self) -> int: ...


class EMA:
    """Exponential moving average of a module's floating tensors, with RCG's warm-up. Source: RCG rdm/modules/ema.py.

    The decay of update n is min(decay, (1 + n) / (10 + n)), so early averages forget the random start.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.shadow = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's present tensors; integer buffers are copied."""
        self.updates += 1
        rate = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, tensor in module.state_dict().items():
            shadow = self.shadow[name]
            if shadow.is_floating_point():
                shadow.sub_(rate * (shadow - tensor))
            else:
                shadow.copy_(tensor)


def rows_of_step(n: int, batch_size: int, seed: int, step: int) -> Tensor:
    """(B,) int64 rows of a step: consecutive batches of a fresh permutation of the n rows in every epoch."""
    batch_size = min(batch_size, n)
    per_epoch = n // batch_size
    epoch, position = divmod(step, per_epoch)
    order = torch.randperm(n, generator=generator(seed, "order", epoch))
    return order[position * batch_size : (position + 1) * batch_size]


def learning_rate(step: int, total: int, peak: float, warmup: float) -> float:
    """Linear warm-up over the first `warmup` share of the steps, then half a cosine to zero."""
    ramp = max(1, round(warmup * total))
    if step < ramp:
        return peak * (step + 1) / ramp
    return peak * 0.5 * (1 + math.cos(math.pi * (step - ramp) / max(1, total - ramp)))


def total_steps(n: int, cfg: Training) -> int:
    """Optimisation steps of a training run over n rows."""
    return max(1, round(cfg.epochs * (n // min(cfg.batch_size, n))))


def fit(
    module: nn.Module,
    loss: Loss,
    n: int,
    cfg: Training,
    *,
    compute: Compute,
    checkpoint: Path | None = None,
    stage: str = "train",
    progress: Progress | None = None,
) -> dict[str, Tensor]:
    """Train `module` in place on `n` rows.

    Several processes share every batch (`compute.ranks`): each draws its own randomness, gradients are averaged, and the averages of
    what they keep beside, such as batch norm's, are taken at the end.

    Args:
        module: everything that learns or is checkpointed, already on the device. Parameters that need no gradient are left alone.
        loss: maps a batch of row numbers to the scalar to minimise; it holds the data.
        n: number of training rows.
        checkpoint: file for checkpoints; where it exists training goes on from it, and it is removed by nobody but its owner.

    Returns:
        The averaged state dict where `cfg.ema` is set, else the module's own.

    Raises:
        TrainingDiverged: the loss is not finite; the last good checkpoint is kept.
    """
    progress = progress or Silent()
    total = total_steps(n, cfg)
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = _optimizer(learning, cfg)
    ema = EMA(module, cfg.ema) if cfg.ema is not None else None
    ranks = compute.ranks
    start = _resume(checkpoint, module, optimizer, ema, ranks) if checkpoint is not None else 0
    saved = time.monotonic()
    module.train()
    for step in range(start, total):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, total, cfg.lr, cfg.warmup)
        torch.manual_seed(derive_seed(cfg.seed, "step", step) ^ ranks.rank)
        rows = rows_of_step(n, cfg.batch_size, cfg.seed, step)
        with compute.training():
            value = loss(rows[ranks.share(len(rows))], step / total)
        figure = value.item()
        if not math.isfinite(figure):
            kept = f"the checkpoint before it is {checkpoint}" if checkpoint and checkpoint.exists() else "no checkpoint was due yet"
            raise TrainingDiverged(
                f"{stage}: loss is {figure} at step {step} of {total}; {kept}. Lower lr (now {cfg.lr:g}) or set clip (now {cfg.clip})."
            )
        optimizer.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        ranks.average(parameter.grad for parameter in learning if parameter.grad is not None)
        if cfg.clip is not None:
            nn.utils.clip_grad_norm_(learning, cfg.clip)
        optimizer.step()
        if ema is not None:
            ema.update(module)
        progress.update(stage, step + 1, total, loss=figure)
        if checkpoint is not None and ranks.first and time.monotonic() - saved > cfg.checkpoint_seconds:
            _save(checkpoint, step + 1, module, optimizer, ema)
            saved = time.monotonic()
    module.eval()
    state = ema.shadow if ema is not None else module.state_dict()
    ranks.average(tensor for tensor in state.values() if tensor.is_floating_point())
    return state


def _optimizer(parameters: list[nn.Parameter], cfg: Training) -> torch.optim.Optimizer:
    """Weight decay acts on matrices and kernels only, not on biases and norms."""
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": cfg.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if cfg.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=cfg.lr, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=cfg.lr, betas=(0.9, 0.95), fused=True)


def _save(path: Path, step: int, module: nn.Module, optimizer: torch.optim.Optimizer, ema: EMA | None) -> None:
    state = {"step": step, "module": module.state_dict(), "optimizer": optimizer.state_dict()}
    if ema is not None:
        state |= {"ema": ema.shadow, "ema_updates": ema.updates}
    with atomic_file(path) as part:
        torch.save(state, part)


def _resume(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, ema: EMA | None, ranks: Ranks) -> int:
    state = ranks.agreed(_saved(path) if ranks.first and path.exists() else None)
    if state is None:
        return 0
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    if ema is not None:
        for name, tensor in state["ema"].items():
            ema.shadow[name].copy_(tensor)
        ema.updates = state["ema_updates"]
    return int(state["step"])


def _saved(path: Path) -> dict[str, Any] | None:
    """A checkpoint; none of a damaged one, so that the training begins anew."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch itself compares no check sums
        if damaged is None:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            return state
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, pickle.UnpicklingError) as error:
        damaged = str(error)
    _log.warning("the checkpoint %s is damaged (%s); the training begins anew", path, damaged)
    return None
