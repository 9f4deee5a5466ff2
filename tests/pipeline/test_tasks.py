"""What models learn from reaches the device that they are trained on."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from badood.config import load_config
from badood.core.compute import Compute, choose
from badood.data.splits import load
from badood.pipeline.models import TRAINABLE, Models, Trainable
from badood.pipeline.tasks import TASKS

ROWS = 8


@dataclass(frozen=True)
class Noted(Compute):
    """Notes what is put on the device."""

    seen: list[Tensor] = field(default_factory=list)

    def put(self, tensor: Tensor) -> Tensor:
        self.seen.append(tensor)
        return super().put(tensor)


@pytest.mark.parametrize("model", TRAINABLE)
def test_rows_are_put_where_the_networks_are(model: Trainable) -> None:
    """A loss is made before its network is placed: on a GPU it must not keep to the device where the network was."""
    small = ["data.train.params.count=40", "mage.views=1", *(f"clip.foreign.{place}.params.count=10" for place in range(5))]
    models, plain = Models(load_config("miniworld", small)), choose("cpu", "fp32")
    compute = Noted(plain.device, plain.dtype)
    object.__setattr__(models, "compute", compute)
    task = TASKS[model](models, load(models.cfg.data.train, None))
    compute.place(task.module).train()
    compute.seen.clear()
    assert task.loss(torch.arange(ROWS), 0.5).isfinite()
    assert any(len(tensor) == ROWS for tensor in compute.seen)
