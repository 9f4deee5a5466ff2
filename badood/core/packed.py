"""Linear layers whose weights stay as they are, laid out once for oneDNN's kernels. `compute.Compute.inference` puts them in."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


class Packed(nn.Module):
    """A linear layer in bfloat16 whose weight was packed beforehand; an ordinary one is packed again at every call.

    The gradient reaches the input only, which is all that guidance needs.

    Args:
        layer: what it computes; its parameters are read once.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self._bias = None if layer.bias is None else layer.bias.detach().bfloat16()
        self._forward = _pack(layer.weight.detach().bfloat16())
        self._backward: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features) bfloat16."""
        x = x.bfloat16()
        return _InputGradient.apply(x, self) if torch.is_grad_enabled() and x.requires_grad else self.product(x)

    def product(self, x: Tensor) -> Tensor:
        """As `forward`, without graph."""
        return torch.ops.mkldnn._linear_pointwise(x, self._forward, self._bias, "none", [], "")

    def product_back(self, gradient: Tensor) -> Tensor:
        """Gradient of the output -> gradient of the input."""
        if self._backward is None:
            self._backward = _pack(self._forward.to_dense().T.contiguous())
        return torch.ops.mkldnn._linear_pointwise(gradient.contiguous(), self._backward, None, "none", [], "")


class _InputGradient(torch.autograd.Function):
    """A packed layer in a graph; it keeps no activation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: Packed) -> Tensor:
        ctx.layer = layer
        return layer.product(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.layer.product_back(gradient), None


def _pack(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight, None)


class Int8(nn.Module):
    """A linear layer in 8 bits: weights scaled by output, inputs by row, both symmetric; no gradient.

    Args:
        layer: what it computes, to about 1 % of the output's spread; its parameters are read once.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        weight = layer.weight.detach().float()
        self._scale = weight.abs().amax(dim=1).clamp_min(1e-12) / 127
        whole = (weight / self._scale[:, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(whole, None)
        self._zero = torch.zeros(len(weight), dtype=torch.int64)
        bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach()
        self._bias = bias.bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features) bfloat16."""
        # what is compiled is compiled again for every state torch can be in, so it meets one only
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            rows = (x if x.is_inference() else x.clone()).reshape(-1, self.in_features)
            whole, scale = _rounding()(rows)
            out = torch.ops.onednn.qlinear_pointwise(
                whole, 1.0, ZERO, self._weight, self._scale, self._zero, None, 1.0, 0, torch.bfloat16, "none", [], ""
            )
            return torch.addcmul(self._bias, out, scale, out=out).view(*x.shape[:-1], self.out_features)


ZERO = 128
"""What stands for 0; oneDNN is fast for unsigned inputs only."""


def _in_8_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    """(M, K) -> (M, K) uint8 and (M, 1) bfloat16, so that x is about (uint8 - ZERO) * scale."""
    # the scale is rounded first, so that both sides of the product use the same; 126 leaves room for that
    scale = x.abs().amax(dim=1, keepdim=True).float().div(126).clamp_min(1e-12).bfloat16()
    return (x.float() / scale.float()).round().add(ZERO).to(torch.uint8), scale


@cache
def _rounding() -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    # compiled it is one pass; step by step it takes longer than 8 bits save
    return torch.compile(_in_8_bits, dynamic=True)


def packed(module: nn.Module, kind: type[Packed] | type[Int8]) -> None:
    """Put `kind` in the place of every linear layer inside a module."""
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            setattr(module, name, kind(child))
        else:
            packed(child, kind)
