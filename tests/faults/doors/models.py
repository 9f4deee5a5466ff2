"""Weights, their cards, and presets."""

import io
import json
from pathlib import Path
from typing import Any

import torch
import yaml
from hypothesis import strategies as st
from safetensors.torch import save

from badood.config import load_config
from badood.core import weights
from badood.detect.checkpoints import read_checkpoint
from tests.faults import inputs
from tests.faults.doors.door import Door, door
from tests.faults.doors.images import archives


@door("checkpoint", share=20)
def checkpoint(outside: Path) -> Door:
    state = {"fc.weight": torch.zeros(2, 4), "fc.bias": torch.zeros(2), "conv.weight": torch.ones(4, 3, 1, 1)}
    buffer = io.BytesIO()
    torch.save({"state_dict": state, "arch": "resnet18", "classes": ["a", "b"]}, buffer)
    bombed = io.BytesIO()
    torch.save({"state_dict": state, "args": inputs.Bomb(outside)}, bombed)
    pickles = st.one_of(inputs.damaged([buffer.getvalue(), bombed.getvalue(), *inputs.bombs(outside)]), archives(outside))
    nested = inputs.plain(outside).map(_torch_saved)
    header = inputs.plain(outside).map(lambda told: inputs.safetensors_of(json.dumps(told).encode()))
    sizes = st.sampled_from([0, 2**63, 2**64 - 1, 10**9]).map(lambda size: inputs.safetensors_of(b"{}", size))
    tensors = st.one_of(inputs.damaged([save(state)]), header, sizes)

    def put(folder: Path, given: tuple[str, bytes]) -> None:
        (folder / given[0]).write_bytes(given[1])

    def read(folder: Path, given: tuple[str, bytes]) -> None:
        found = read_checkpoint(str(folder / given[0]))
        found.looks_like()

    named = st.one_of(pickles, nested).map(lambda content: ("x.pth", content)), tensors.map(lambda content: ("x.safetensors", content))
    return Door(st.one_of(*named), put, read)


def _torch_saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@door("card")
def card(outside: Path) -> Door:
    """`config.json` beside weights, as timm writes it."""
    sound = {
        "architecture": "resnet18",
        "num_classes": 2,
        "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 32, 32], "label_names": ["a", "b"]},
    }
    told = inputs.altered(sound, inputs.plain(outside)).map(lambda content: json.dumps(content).encode())

    def put(folder: Path, content: bytes) -> None:
        weights.save(
            folder / "model.safetensors",
            {"fc.weight": torch.zeros(2, 4), "fc.bias": torch.zeros(2), "conv1.weight": torch.ones(4, 3, 1, 1)},
        )
        (folder / "config.json").write_bytes(content)

    def read(folder: Path, content: bytes) -> None:
        read_checkpoint(str(folder)).looks_like()

    return Door(st.one_of(told, inputs.damaged([json.dumps(sound).encode()])), put, read)


@door("preset", share=20)
def preset(outside: Path) -> Door:
    sound = yaml.safe_load((Path(weights.__file__).parents[1] / "presets" / "miniworld.yaml").read_text())
    changed = inputs.altered(sound, inputs.plain(outside)).map(lambda content: json.dumps(content).encode(errors="surrogatepass"))
    based = st.dictionaries(
        st.one_of(st.sampled_from(["base", "data", "seed", "outliers", "filter"]), inputs.names(outside)), inputs.plain(outside), max_size=3
    ).map(lambda content: json.dumps({"base": "miniworld"} | content).encode(errors="surrogatepass"))
    code = [
        f"!!python/object/apply:os.system ['touch {outside}/canary']", f"a: !!python/object/new:subprocess.Popen [['touch', '{outside}/canary']]",
        "base: x.yaml", "a: &a [*a]", "base: miniworld\nseed: !!binary x", "? {a: b}\n: c", "[" * 5000, "{" * 3000, "a: " * 3000, "- " * 9000,
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)),
        "base: /dev/null", "base: [1]", "base: ../../../etc/passwd", "2001-01-01: 1", "seed: .inf", "seed: 1e999", "seed: 0x" + "f" * 4000, "\0", "\ufeffbase: miniworld",
    ]  # fmt: skip
    own = st.one_of(
        changed,
        based,
        st.sampled_from([text.encode() for text in code]),
        inputs.damaged([b"base: miniworld\nseed: 3\nfilter: {lo: 0.1}\n"]),
    )
    settings = st.lists(
        st.builds(
            lambda name, value: f"{name}={value}",
            st.one_of(st.sampled_from(["seed", "data.ood.0.limit", "filter.lo", "outliers.9.name"]), inputs.names(outside)),
            inputs.names(outside),
        ),
        max_size=2,
    )

    def read(folder: Path, given: tuple[bytes, list[str]]) -> None:
        load_config(str(folder / "x.yaml"), given[1])

    return Door(st.tuples(own, settings), lambda folder, given: (folder / "x.yaml").write_bytes(given[0]), read)
