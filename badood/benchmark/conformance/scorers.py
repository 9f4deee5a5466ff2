"""Cases of OpenOOD's post-hoc scorers: every scorer's confidence, prediction and fitted quantities."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from badood.benchmark.conformance.blas import original_moments
from badood.benchmark.conformance.engine import FP32, Case, Check, family
from badood.core.weights import load_strict
from badood.detect.activations import Activations
from badood.detect.scorers import scorer
from badood.detect.scorers.base import Reshaping
from badood.detect.scorers.godin import GODIN, Cosine, confidence_layer
from badood.detect.scorers.vim import origin, principal_space

STD = {
    "cifar10": (0.2470, 0.2435, 0.2616),
    "cifar100": (0.2675, 0.2565, 0.2761),
    "imagenet": (0.229, 0.224, 0.225),
    "imagenet200": (0.229, 0.224, 0.225),
    "covid": (0.2697, 0.2697, 0.2697),
}
"""Standard deviations that OpenOOD's ODIN divides the step by, by data set name; 0.5 for unknown names."""


class RecordedNet(nn.Module):
    """The classifier of the image cases: five 3x3 convolutions with ReLU, global average pool, linear layer."""

    def __init__(self, widths: list[int], classes: int, dataset: str) -> None:
        super().__init__()
        self.pixel_std = STD.get(dataset, (0.5, 0.5, 0.5))
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1)
        for number, (width, following, stride) in enumerate(zip(widths, widths[1:], (1, 2, 2, 2), strict=False), start=1):
            self.add_module(f"layer{number}", nn.Sequential(nn.Conv2d(width, following, 3, stride, 1), nn.ReLU()))
        self.fc = nn.Linear(widths[-1], classes)

    @property
    def stages(self) -> tuple[nn.Module, nn.Module]:
        """Layers 3 and 4."""
        return self.get_submodule("layer3"), self.get_submodule("layer4")

    def prepare(self, images: Tensor) -> Tensor:
        """The recorded inputs are normalised already."""
        return images

    def maps(self, prepared: Tensor) -> list[Tensor]:
        """The maps of all layers."""
        found = [self.conv1(prepared).relu()]
        for number in range(1, 5):
            found.append(self.get_submodule(f"layer{number}")(found[-1]))
        return found

    def features(self, prepared: Tensor) -> Tensor:
        """Globally averaged map of the last layer."""
        return self.maps(prepared)[-1].mean(dim=(2, 3))

    def classify(self, prepared: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.fc(self.features(prepared))
        return logits


@dataclass(frozen=True)
class Recorded:
    """The three splits of a case as the product's activations."""

    case: Case
    train: Activations
    val: Activations
    test: Activations

    def labels(self, split: str) -> Tensor:
        """(N,) classes of a split."""
        return self.case.input(f"{split}_labels").cpu()


def recorded(case: Case, check: Check) -> Recorded:
    """The splits, with the network where the case has one; its features and logits are compared on the way."""
    weight = case.tensors["weights.fc.weight"]
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": weight.cpu(), "bias": case.tensors["weights.fc.bias"].cpu()})
    network = _network(case) if case.config["kind"] == "conv" else None
    splits = {}
    for split in ("train", "val", "test"):
        data = case.input(f"{split}_data")
        with torch.no_grad():
            features = (data if network is None else network.features(data)).cpu()
            logits = head(features)
        check.close(f"{split}_features", features)
        check.close(f"{split}_logits", logits)
        kept = case.output(f"{split}_logits").cpu(), case.output(f"{split}_features").cpu()
        splits[split] = Activations(*kept, head, images=data.cpu() if network else None, network=network)
    if network is not None:
        with torch.no_grad():
            maps = network.maps(case.input("test_data"))
        check.close("test_map_layer3", maps[3])
        check.close("test_map_layer4", maps[4])
    return Recorded(case, **splits)


def _network(case: Case) -> RecordedNet:
    state = {name: tensor for name, tensor in case.state().items() if not name.startswith("godin")}
    network = RecordedNet(case.config["widths"], len(state["fc.weight"]), case.config["dataset"])
    load_strict(network, state, case.path)
    network.requires_grad_(False)
    return network.to(case.compute.device)


NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"
"""A parameter in a scorer's name, as Python prints it."""

VARIANT = rf"_(?:[bpshg]|cosine|euclidean|inner_product|power_iteration|[A-Za-z]?{NUMBER})"
"""What may follow a scorer's name in a case; anything else is another scorer."""


def _decomposed_by_cosine(case: Case) -> bool:
    """Whether GODIN's h is a cosine, the only kind that the product has."""
    return bool(case.config.get("godin_sim", "cosine") == "cosine")


@family("scorers")
def scorers(case: Case, check: Check) -> None:
    """Every scorer of the case."""
    data = recorded(case, check)
    for name in sorted({output.split(".score")[0] for output in case.outputs() if output.endswith(".score")}):
        kind = next((kind for kind in KINDS if re.fullmatch(rf"{kind}({VARIANT})*", name)), None)
        if kind is None or (kind == "godin" and not _decomposed_by_cosine(case)):
            check.deviates(case.outputs(f"{name}."), f"{name}: not provided")
        else:
            KINDS[kind](name, data, check)
    if case.outputs("godin.") and _decomposed_by_cosine(case):
        _godin_parts(data, check)
    elif case.outputs("godin."):
        check.deviates(case.outputs("godin."), f"godin by {case.config['godin_sim']}: not provided")
    if case.outputs("she."):
        _she_patterns(data, check)


def _fitted(name: str, data: Recorded, params: dict[str, Any]) -> Any:
    """A product scorer with these parameters, fitted on the split that it names."""
    made = scorer.make(name, params)
    split = "val" if made.fitted_on == "validation" else "train"
    return made.fit(getattr(data, split), data.labels(split))


def _compare(name: str, got: Any, data: Recorded, check: Check, confidence: Tensor | None = None, rows: Tensor | None = None) -> None:
    """Score and prediction of a fitted scorer; confidence = -anomaly.

    Args:
        rows: (N,) bool, those that have a score in the original; default those that it does not divide by zero for.
    """
    confidence = -got.score(data.test) if confidence is None else confidence
    logits = got.logits(data.test) if isinstance(got, Reshaping) or hasattr(got, "logits") else data.test.logits
    rows = ~_divided_by_zero(name, data, check) if rows is None else rows
    check.close(f"{name}.score", confidence, rows=rows)
    check.close(f"{name}.pred", logits.argmax(dim=1), rows=rows)


def _divided_by_zero(name: str, data: Recorded, check: Check) -> Tensor:
    """(N,) bool: all-zero rows that make the original divide by zero; the product scores them as a finite number."""
    expected = data.case.output(f"{name}.score").cpu()
    # faiss tells the largest number there is for a row that is not one
    number = expected.abs() < torch.finfo(torch.float32).max
    zero = ~data.test.features.any(dim=1) & ~number
    if zero.any():
        check.remark(
            f"{name}: {int(zero.sum())} all-zero rows are {expected[zero][0].item():g} in the original, a score here, and not compared"
        )
    return zero


def _plain(product: str, *fields: tuple[str, str, type]) -> Callable[[str, Recorded, Check], None]:
    """A family of scorers whose parameters stand in the name, as in gen_g0.5_M4."""

    def compare(name: str, data: Recorded, check: Check) -> None:
        params = {field: kind(found[1]) for letter, field, kind in fields if (found := re.search(rf"_{letter}({NUMBER})", name))}
        got = _fitted(product, data, params)
        _compare(name, got, data, check)
        for output, attribute in FITTED.get(product, {}).items():
            if f"{name}.{output}" in data.case.outputs():
                check.close(f"{name}.{output}", attribute(got).to(data.case.output(f"{name}.{output}").dtype))

    return compare


FITTED: dict[str, dict[str, Callable[[Any], Tensor]]] = {
    "react": {"threshold": lambda got: torch.tensor([got.threshold_])},
    "dice": {"threshold": lambda got: torch.tensor([got.sparse_.threshold]), "masked_weight": lambda got: got.sparse_.masked_w},
    "temperature": {"temperature": lambda got: got.temperature_},
    "mahalanobis": {"class_mean": lambda got: got.classes_.mean, "precision": lambda got: got.classes_.precision},
    "rmd": {"whole_mean": lambda got: got.background_.mean[0], "whole_precision": lambda got: got.background_.precision},
}
"""What the original reports of a fit, by output name, from the product's scorer."""


def _knn(name: str, data: Recorded, check: Check) -> None:
    got = _fitted("knn", data, {"k": int(name.split("_k")[1])})
    check.remark("knn: the original's score is the squared distance")
    _compare(name, got, data, check, -got.score(data.test).square())


ROUNDINGS = 4.0
"""How many times the difference between float32 and float64 two CPUs may differ by."""


def _temperature(name: str, data: Recorded, check: Check) -> None:
    """The fitted temperature, and the score at the recorded one.

    Fifty steps without a line search amplify the rounding of each CPU's own sums, most where the temperature is small. The fit in
    float64 shows by how much.
    """
    check.remark("temp_scaling: L-BFGS without line search (rate=0.01, steps=50, line_search=None), as the original stops early")
    params = {"rate": 0.01, "steps": 50, "line_search": None}
    got = _fitted("temperature", data, params)
    found, expected = got.temperature_, data.case.output(f"{name}.temperature").cpu()
    exact = _fitted("temperature", replace(data, val=replace(data.val, logits=data.val.logits.double())), params).temperature_
    rounding = float((exact - found).abs().max() / expected.abs().max())
    check.close(f"{name}.temperature", found, max(FP32, ROUNDINGS * rounding))
    if ROUNDINGS * rounding > FP32:
        check.remark(f"{name}: rounding moves the temperature by {rounding:.1g} of itself; the score is compared at the recorded one")
    got.temperature_ = expected
    _compare(name, got, data, check)


def _klm(name: str, data: Recorded, check: Check) -> None:
    got = _fitted("klm", data, {})
    templates = got.templates_.dists
    for missing in {str(label) for label in range(data.val.logits.shape[1])} - set(templates):
        check.remark("klm: classes without a prediction have a one-hot template in the original, given here; the product leaves them out")
        templates[missing] = nn.functional.one_hot(torch.tensor(int(missing)), data.val.logits.shape[1]).float()
    infinite = data.case.output(f"{name}.score").cpu().isinf()
    if infinite.any():
        check.remark(f"klm: {int(infinite.sum())} rows are infinitely far from every template in the original and not compared")
    _compare(name, got, data, check, rows=~infinite)
    found = torch.stack([templates[str(label)] for label in range(len(templates))])
    check.close(f"{name}.templates", found.to(data.case.output(f"{name}.templates").dtype))


def _she(name: str, data: Recorded, check: Check) -> None:
    got = _fitted("she", data, {"closeness": name.removeprefix("she_")})
    unknown = data.case.output(f"{name}.score").cpu().isnan()
    if unknown.any():
        check.remark(f"{name}: {int(unknown.sum())} rows are NaN in the original, whose class has no pattern, and not compared")
    _compare(name, got, data, check, rows=~unknown)


def _she_patterns(data: Recorded, check: Check) -> None:
    patterns = _fitted("she", data, {}).patterns_
    check.close("she.patterns", patterns.masked_fill(data.case.output("she.patterns").cpu().isnan(), float("nan")))


def _nnguide(name: str, data: Recorded, check: Check) -> None:
    k, alpha = re.fullmatch(rf"nnguide_k(\d+)_a({NUMBER})", name).groups()  # type: ignore[union-attr]
    batch, n = data.case.config["batch_size"], len(data.train)
    rows = min(n, batch * int(np.floor(n * float(alpha)) // batch + 1))
    if rows < n:
        check.remark(f"{name}: fitted on the first {rows} rows, where the original stops filling its bank")
    bank = Activations(data.train.logits[:rows], data.train.features[:rows], data.train.head)
    got = scorer.make("nnguide", {"k": int(k)}).fit(bank, data.labels("train")[:rows])
    _compare(name, got, data, check)
    check.close(f"{name}.bank_rows", torch.tensor([rows]))


def _principal_space(product: str) -> Callable[[str, Recorded, Check], None]:
    """ViM or its residual, in a space round the recorded origin and summed as the original did it.

    The product's own origin is compared first. It may differ from the recorded one in the last digit, which the moments blow up
    to more than the tolerance, so the rest is compared from the recorded one on.
    """

    def compare(name: str, data: Recorded, check: Check) -> None:
        got = scorer.make(product, {"dim": int(name.split("_d")[1])})
        seen = data.val if got.fitted_on == "validation" else data.train
        recorded_origins = [output for output in data.case.outputs() if re.fullmatch(r"vim_d\d+\.origin", output)]
        for output in recorded_origins:
            check.close(output, origin(seen))
        centre = data.case.output(recorded_origins[0]).cpu() if recorded_origins else None
        got.space_ = principal_space(seen, got.dim, centre=centre, moments=original_moments)
        check.remark("vim, residual: original_moments, summed in float32 and in the original's order; the product sums in float64")
        _compare(name, got, data, check)
        if f"{name}.alpha" in data.case.outputs():
            check.close(f"{name}.alpha", torch.tensor([got.space_.alpha], dtype=torch.float64))

    return compare


def _ash(name: str, data: Recorded, check: Check) -> None:
    variant, percentile = re.fullmatch(rf"ash_(\w)_p({NUMBER})", name).groups()  # type: ignore[union-attr]
    got = scorer.make("ash", {"variant": variant, "percentile": float(percentile)})
    _compare(name, got, data, check)
    if f"{name}.shaped_map" in data.case.outputs():
        check.close(f"{name}.shaped_map", got.shaped(data.case.output("test_map_layer4").cpu()))


def _odin(name: str, data: Recorded, check: Check) -> None:
    temperature, step = re.fullmatch(rf"odin_T({NUMBER})_e({NUMBER})", name).groups()  # type: ignore[union-attr]
    check.remark("odin, godin: original_sign, a gradient of exactly zero counts as positive; the product does not move such pixels")
    params = {"temperature": float(temperature), "step": float(step), "original_sign": True}
    _compare(name, scorer.make("odin", params), data, check)


def _rankfeat(name: str, data: Recorded, check: Check) -> None:
    if name == "rankfeat_power_iteration":
        check.remark(f"{name}: power_iterations=20 from the original's start; the product takes the component exactly")
        return _compare(name, scorer.make("rankfeat", {"power_iterations": 20}), data, check)
    temperature = float(name.split("_T")[1])
    got = scorer.make("rankfeat")
    return _compare(name, got, data, check, temperature * (got.logits(data.test) / temperature).logsumexp(dim=1))


def _godin(name: str, data: Recorded, check: Check) -> None:
    confidence, step = re.fullmatch(rf"godin_([hg])_e({NUMBER})", name).groups()  # type: ignore[union-attr]
    got = _recorded_godin(data, confidence=confidence, step=float(step), original_sign=True)
    out = got.outputs(data.test)[0 if confidence == "h" else 1]
    check.remark(f"{name}: softmax over the outputs of {confidence}, as in the original")
    check.close(f"{name}.score", out.softmax(dim=1).amax(dim=1))
    check.close(f"{name}.pred", out.argmax(dim=1))


def _recorded_godin(data: Recorded, **params: Any) -> GODIN:
    """The product's scorer with the recorded heads in the place of fitted ones."""
    case = data.case
    got: GODIN = scorer.make("godin", params)
    width, classes = data.test.features.shape[1], data.test.logits.shape[1]
    got.h_, got.g_ = Cosine(width, classes), confidence_layer(width)
    load_strict(got.h_, {name: tensor.cpu() for name, tensor in case.state("weights.godin_h.").items()}, case.path)
    load_strict(got.g_, {name: tensor.cpu() for name, tensor in case.state("weights.godin_g.").items()}, case.path)
    got.g_.eval()
    return got


@torch.no_grad()
def _godin_parts(data: Recorded, check: Check) -> None:
    got = _recorded_godin(data)
    h, g = got.h_(data.test.features), got.g_(data.test.features)
    check.close("godin.h_out", h)
    check.close("godin.g_out", g)
    check.close("godin.logits", h / g)


KINDS: dict[str, Callable[[str, Recorded, Check], None]] = {
    "msp": _plain("msp"),
    "maxlogit": _plain("maxlogit"),
    "ebo": _plain("energy", ("T", "temperature", float)),
    "gen": _plain("gen", ("g", "gamma", float), ("M", "top", int)),
    "temp_scaling": _temperature,
    "mds": _plain("mahalanobis"),
    "rmds": _plain("rmd"),
    "knn": _knn,
    "vim": _principal_space("vim"),
    "residual": _principal_space("residual"),
    "react": _plain("react", ("p", "percentile", float)),
    "dice": _plain("dice", ("p", "percentile", float)),
    "ash": _ash,
    "scale": _plain("scale", ("p", "percentile", float)),
    "gradnorm": _plain("gradnorm"),
    "klm": _klm,
    "she": _she,
    "nnguide": _nnguide,
    "odin": _odin,
    "rankfeat": _rankfeat,
    "godin": _godin,
}
"""How each of OpenOOD's scorers is compared, by the beginning of its name in the case."""
