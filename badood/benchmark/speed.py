"""How fast encoding, synthesis and decoding are here, beside a plain path: `python -m badood bench`.

Weights are the preset's where its files lie, else random, and the tables say which: what is timed depends on sizes alone. Few images
are timed and scaled to 100; the tables say how many.
The plain path is the original's arithmetic as one would write it down: float32, ordinary layers, attention as two products
and a softmax, the halves of the guidance one after the other, one image after another, logits at every position.
"""

import multiprocessing
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import torch
from torch import Tensor, nn

from badood.benchmark import plain
from badood.config import Config, load_config, weights_path
from badood.core.artefacts import atomic_file, write_json
from badood.core.compute import Compute, choose, has_instructions, product_seconds_ratio
from badood.core.errors import BadInput
from badood.core.noise import Noise
from badood.core.places import results
from badood.core.progress import Progress, Silent
from badood.decode import decode_images
from badood.decode.mage import MAGE, load_mage
from badood.decode.parallel_decoding import decode_codes, guidance_at, mage_logits, seen_positions
from badood.decode.vqgan import VQGAN, load_vqgan
from badood.encode.features import Encoder, encode, load_encoder, prepare, standardise
from badood.synthesise import synthesiser
from badood.synthesise.rdm import RDM, load_rdm

Stage = Literal["encode", "synthesise", "decode"]
STAGES: tuple[Stage, ...] = get_args(Stage)
SIZES = {"small": "miniworld", "B": "imagenet100-b", "L": "imagenet100"}
"""The preset whose sizes are timed."""
MODES: dict[Stage, dict[str, list[str]]] = {
    "encode": {"default": [], "int8": ["compute.precision=int8"]},
    "synthesise": {"default": []},
    "decode": {
        "default": ["decode.spare_masked=false"],
        "spare_masked": ["decode.spare_masked=true"],
        "int8": ["compute.precision=int8", "decode.spare_masked=false"],
        "int8, spare_masked": ["compute.precision=int8", "decode.spare_masked=true"],
    },
}
"""Settings of every way to run a stage. The first computes what the originals do; all others are opt-in, and int8 is for CPUs with AVX-512 VNNI."""
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Load:
    """How much is timed.

    Attributes:
        repeats: timings of which the median is taken.
        images: images of the product's path in encode and decode; synthesis always has 100 embeddings.
        plain_images: images of the plain path.
        plain_steps: decoding steps of the plain path, which all take the same time; the product's may not, and are all timed.
        cpu_time: processor time of all threads in the place of wall time, for a machine that does other work as well.
    """

    repeats: int = 3
    images: int = 4
    plain_images: int = 1
    plain_steps: int = 4
    cpu_time: bool = False


@dataclass(frozen=True)
class Timing:
    """One row of the table.

    Attributes:
        size, stage, mode: what was timed.
        seconds: for 100 images, scaled from those timed; plain_seconds: of the plain path, likewise, in `bench` the median over all modes.
        ratio: plain_seconds / seconds.
        peak_mb: most memory of the product's path, the process with its networks included.
        agreement: share of results that equal the plain path's: greedy tokens of every masked position for decode, given the
            same tokens; elsewhere 1 - relative L2 difference.
        weights: "trained" or "random".
        timed: what was really timed.
    """

    size: str
    stage: Stage
    mode: str
    seconds: float
    plain_seconds: float
    ratio: float
    peak_mb: float
    agreement: float
    weights: str
    timed: str


def modes(stage: Stage) -> list[str]:
    """The ways to run a stage that this machine has."""
    has_int8 = choose().device.type == "cpu" and has_instructions("avx512_vnni")
    return [mode for mode in MODES[stage] if has_int8 or not mode.startswith("int8")]


def bench(sizes: Sequence[str], stages: Sequence[Stage], load: Load, progress: Progress | None = None) -> dict[str, Any]:
    """Time every stage at every size, each in a process of its own, so that peaks of memory do not mix.

    Returns:
        machine: what it ran on; load: how much was timed; rows: a `Timing` each, as plain data.
    """
    progress = progress or Silent()
    rows: list[Timing] = []
    cells = [(size, stage, mode) for size in sizes for stage in stages for mode in modes(stage)]
    # an executor, not a Pool: a process that dies, for want of memory say, ends the bench instead of hanging it
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        for done, cell in enumerate(cells, start=1):
            rows.append(pool.submit(measure, *cell, load).result())
            progress.update("bench", done, len(cells))
    return {"machine": machine(), "load": asdict(load), "rows": [asdict(row) for row in _with_shared_plain(rows)]}


def _with_shared_plain(rows: Sequence[Timing]) -> list[Timing]:
    """Rows of one size and stage beside the median of their plain timings: the work is the same in every mode, the machine's mood is not."""
    plain_seconds: defaultdict[tuple[str, Stage], list[float]] = defaultdict(list)
    for row in rows:
        plain_seconds[row.size, row.stage].append(row.plain_seconds)
    shared = {cell: statistics.median(seconds) for cell, seconds in plain_seconds.items()}
    return [replace(row, plain_seconds=(slow := shared[row.size, row.stage]), ratio=slow / row.seconds) for row in rows]


def chosen_sizes(names: Sequence[str]) -> list[str]:
    """Known sizes; all for none given.

    Raises:
        BadInput: one is unknown.
    """
    return _chosen("size", names, list(SIZES))


def chosen_stages(names: Sequence[str]) -> list[Stage]:
    """Known stages; all for none given.

    Raises:
        BadInput: one is unknown.
    """
    return _chosen("stage", names, list(STAGES))


def _chosen(kind: str, names: Sequence[str], known: list[Any]) -> list[Any]:
    for name in names:
        if name not in known:
            raise BadInput(f"no {kind} {name!r} to time: give one of {', '.join(known)}.")
    return list(names) or known


def machine() -> dict[str, Any]:
    """Processor, threads, device and dtype, and on a CPU how many times as long a matrix product takes in float32 as in bfloat16."""
    compute = choose()
    return {
        "product_ratio": product_seconds_ratio() if compute.device.type == "cpu" else None,
        "device": compute.device.type,
        "name": compute.device_name(),
        "threads": torch.get_num_threads(),
        "dtype": str(compute.dtype).split(".")[1],
    }


def measure(size: str, stage: Stage, mode: str, load: Load) -> Timing:
    """One cell of the table, in this process."""
    torch.manual_seed(0)
    return TIMED[stage](load_config(SIZES[size], MODES[stage][mode]), load, size, mode)


def median_seconds(work: Callable[[], object], compute: Compute, load: Load, repeats: int | None = None) -> float:
    """Median time of `work`, on the clock of `load`; the median forgives a first call that takes longer."""
    clock = time.process_time if load.cpu_time else time.perf_counter
    seconds = []
    for _ in range(repeats or load.repeats):
        start = clock()
        work()
        compute.wait()
        seconds.append(clock() - start)
    return statistics.median(seconds)


def randomised(module: M) -> M:
    """Layers that start at zero get weights, so that every layer matters."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear) and not layer.weight.any():
            nn.init.xavier_uniform_(layer.weight)
    return module.eval().requires_grad_(False)


def _network(path: Path, load: Callable[[Path], M], fresh: Callable[[], M]) -> tuple[M, str]:
    """The preset's network where its weights lie, else one of its sizes, and which."""
    if path.exists():
        return load(path).eval().requires_grad_(False), "trained"
    return randomised(fresh()), "random"


def _compute(cfg: Config) -> Compute:
    wish = cfg.compute
    return choose(wish.device, wish.precision, wish.threads, wish.memory_gb)


def _closeness(got: Tensor, expected: Tensor) -> float:
    return 1 - float((got.cpu() - expected.cpu()).norm() / expected.norm())


def _encode(cfg: Config, load: Load, size: str, mode: str) -> Timing:
    compute = _compute(cfg)
    encoder, kind = _network(weights_path(cfg, "encoder"), lambda path: load_encoder(path, cfg.encoder), lambda: Encoder(cfg.encoder))
    pixels = torch.randint(0, 256, (load.images, 3, cfg.data.image_size, cfg.data.image_size), dtype=torch.uint8)
    few = pixels[: load.plain_images]
    copy = plain.ordinary(encoder, compute)

    def one_by_one() -> Tensor:
        return torch.cat([standardise(copy(prepare(compute.put(image[None]), encoder.image_size))) for image in few])

    with torch.no_grad():
        slow, expected = median_seconds(one_by_one, compute, load), one_by_one()
    fast = compute.inference(encoder)
    closeness = _closeness(encode(fast, few, compute), expected)  # first: 8 bits are compiled at the first call
    seconds = median_seconds(lambda: encode(fast, pixels, compute), compute, load)
    timed = f"{load.images} images; plain {load.plain_images}"
    return _row(size, "encode", mode, seconds / load.images, slow / load.plain_images, compute, closeness, kind, timed)


def _synthesise(cfg: Config, load: Load, size: str, mode: str) -> Timing:
    compute, dim = _compute(cfg), cfg.encoder.dim
    rdm, kind = _network(weights_path(cfg, "rdm"), lambda path: load_rdm(path, cfg.rdm, dim), lambda: RDM.of(cfg.rdm, dim))
    z0 = compute.put(standardise(torch.randn(100, dim)))
    labels, noise = compute.put(torch.zeros(100, dtype=torch.int64)), Noise(0, np.arange(100))
    method = synthesiser.make("minority", {**cfg.synthesise.params, "scale": 0.05})
    copy = plain.ordinary(rdm, compute)

    def one_by_one() -> Tensor:
        return torch.cat([plain.minority(copy, z0[i : i + 1], method, noise.take(slice(i, i + 1))) for i in range(load.plain_images)])

    slow = median_seconds(one_by_one, compute, load)
    batched = median_seconds(lambda: plain.minority(copy, z0, method, noise), compute, load, repeats=1)
    expected = one_by_one()
    fast = compute.inference(rdm, guided=True)

    def all_at_once() -> Tensor:
        with compute.autocast():
            return method.sample(z0, labels, fast, noise)

    seconds, got = median_seconds(all_at_once, compute, load), all_at_once()
    timed = f"100 embeddings; plain {load.plain_images}, and in one batch of 100: {batched:.1f} s, {batched / seconds:.1f} times as long"
    closeness = _closeness(got[: load.plain_images], expected)
    return _row(size, "synthesise", mode, seconds / 100, slow / load.plain_images, compute, closeness, kind, timed)


def _decode(cfg: Config, load: Load, size: str, mode: str) -> Timing:
    compute, sizes = _compute(cfg), {"codes": cfg.tokenizer.codes, "side": cfg.tokenizer.side, "dim": cfg.encoder.dim}
    mage, kind = _network(
        weights_path(cfg, "mage"), lambda path: load_mage(path, cfg.mage, **sizes), lambda: _random_mage(MAGE.of(cfg.mage, **sizes))
    )
    vqgan, _ = _network(weights_path(cfg, "tokenizer"), lambda path: load_vqgan(path, cfg.tokenizer), lambda: VQGAN.of(cfg.tokenizer))
    z, noise = standardise(torch.randn(load.images, cfg.encoder.dim)), Noise(0, np.arange(load.images))
    copies = plain.ordinary(mage, compute), plain.ordinary(vqgan, compute)
    few, steps = compute.put(z[: load.plain_images]), min(load.plain_steps, cfg.decode.steps)
    blank = torch.zeros(len(few), mage.length, dtype=torch.int64, device=few.device)
    with torch.no_grad():
        slow = median_seconds(lambda: plain.codes(copies[0], few, cfg.decode, noise, steps), compute, load) * cfg.decode.steps / steps
        slow += median_seconds(lambda: plain.pixels(copies[1], blank), compute, load)
        fast = compute.inference(mage), compute.inference(vqgan)
        agreement = _greedy_agreement(copies[0], fast[0], cfg, compute.put(z), noise, compute)
    seconds = median_seconds(lambda: decode_images(*fast, z, cfg.decode, noise=noise, compute=compute), compute, load)
    timed = f"{load.images} images; plain {load.plain_images}, {steps} of {cfg.decode.steps} steps"
    return _row(size, "decode", mode, seconds / load.images, slow / load.plain_images, compute, agreement, kind, timed)


def _random_mage(mage: MAGE) -> MAGE:
    """Masked positions differ by these entries alone; as small as training begins with, all of them would take the same few codes."""
    nn.init.normal_(mage.decoder_pos_embed_learned)
    return mage


def _greedy_agreement(copy: MAGE, fast: MAGE, cfg: Config, z: Tensor, noise: Noise, compute: Compute) -> float:
    """Share of the masked positions whose likeliest code is the same, over three stages of a decoding, given the same tokens."""
    kept = seen_positions(fast, cfg.decode)
    draw = torch.Generator().manual_seed(0)
    with compute.autocast():
        ids = decode_codes(fast, z, cfg.decode.model_copy(update={"steps": 4}), noise).cpu()  # in a few steps: likely ones will do
    same = []
    for step in (0, cfg.decode.steps // 2, cfg.decode.steps - 1):
        share = np.cos(np.pi / 2 * step / cfg.decode.steps)
        unknown = torch.rand(ids.shape, generator=draw) < share
        given = compute.put(ids.masked_fill(unknown, copy.mask_id))
        weight = guidance_at(step, cfg.decode)
        expected = plain.guided_logits(copy, given, z, weight)[given == copy.mask_id].argmax(dim=1)
        with compute.autocast():
            got = mage_logits(fast, z, kept)(given, weight).argmax(dim=1)
        same.append(got == expected)
    return float(torch.cat(same).float().mean())


def _row(
    size: str, stage: Stage, mode: str, seconds: float, slow: float, compute: Compute, agreement: float, kind: str, timed: str
) -> Timing:
    return Timing(size, stage, mode, 100 * seconds, 100 * slow, slow / seconds, compute.peak_memory_mb(), agreement, kind, timed)


TIMED: dict[Stage, Callable[[Config, Load, str, str], Timing]] = {"encode": _encode, "synthesise": _synthesise, "decode": _decode}


def markdown(result: dict[str, Any]) -> str:
    """The table as the README shows it."""
    place = result["machine"]
    product = (
        f"; a matrix product takes {place['product_ratio']:.1f} times as long in float32 as in bfloat16" if place["product_ratio"] else ""
    )
    lines = [
        f"{place['name']}, {place['threads']} threads, {place['device']}, {place['dtype']}{product}. Per 100 images, "
        f"{'processor time' if result['load']['cpu_time'] else 'wall time'}, median of {result['load']['repeats']}, "
        "scaled from what was timed.",
        "",
        "| size | stage | mode | s | plain s | plain / s | peak MB | agreement | weights | timed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["rows"]:
        figures = (
            f"{row['seconds']:,.1f} | {row['plain_seconds']:,.1f} | {row['ratio']:.1f} | {row['peak_mb']:,.0f} | {row['agreement']:.3f}"
        )
        lines.append(f"| {row['size']} | {row['stage']} | {row['mode']} | {figures} | {row['weights']} | {row['timed']} |")
    return "\n".join(lines) + "\n"


def write(result: dict[str, Any], folder: Path | None = None) -> Path:
    """Write speed.json and speed.md; returns the latter."""
    folder = folder or results()
    write_json(folder / "speed.json", result)
    path = folder / "speed.md"
    with atomic_file(path) as part:
        part.write_text(markdown(result))
    return path
