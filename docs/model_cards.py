"""Model cards in the layout of the Hugging Face Hub, one beside each shipped weights file: `README.md` of a repository that holds the file.

Written by `docs/generate.py` from the JSON card that training left, and from the figures of `badood check-assets`.
"""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from badood.config import CHECKOUT

_WEIGHTS = CHECKOUT / "assets" / "weights"
_PRESETS = {"cifar": "cifar10", "miniworld": "miniworld"}
"""The preset that a folder of weights belongs to."""

_DATA = {"cifar": ("cifar10", "CIFAR-10"), "miniworld": ("badood/miniworld", "MiniWorld")}
"""Type and name of the data set."""

_WHAT = {
    "encoder": ("Encoder", "maps an image to its representation z0, on which the RDM is trained (Bad-OOD sec. 3.1; MoCo v3)"),
    "rdm": ("Representation diffusion model (RDM)", "generates and perturbs representations z0 (RCG; Bad-OOD sec. 3.2)"),
    "tokenizer": ("Tokenizer", "turns an image into discrete codes and back (VQGAN)"),
    "mage": ("MAGE decoder", "turns a representation z0 into an image, by way of the tokenizer's codes (RCG; Bad-OOD sec. 3.3)"),
    "clip": ("Small CLIP", "names what an image shows, for the types OOD-I, II and III (Bad-OOD sec. 4.3)"),
    "detector": ("Classifier", "is what detectors of the preset start from; its energy or another score tells ID from OOD"),
}

_FIGURES = {
    "encoder": (("knn_accuracy", "image-classification", "accuracy", "k-NN accuracy of z0 (k = 20)"),),
    "tokenizer": (
        ("psnr_db", "image-to-image", "psnr", "PSNR of the reconstruction, dB"),
        ("rebuilt_consistency", "image-classification", "accuracy", "reconstruction keeps its class"),
    ),
    "mage": (("decode_consistency", "image-classification", "accuracy", "decoded z0 keeps its class"),),
    "clip": (("clip_top1", "zero-shot-image-classification", "accuracy", "zero-shot top-1"),),
}
"""By model: name in assets-PRESET.json, task, metric and its name in words."""

_LIMITS = {
    "cifar": "Trained on CIFAR-10 alone: 32 x 32 px, ten classes. What it does with other images says little.",
    "miniworld": "Trained on rendered images alone. It is for trying the method out and for teaching, not for photos.",
}


def cards() -> dict[Path, str]:
    """The text of every card by its file."""
    return {path.with_suffix(".md"): _card(path) for path in sorted(_WEIGHTS.glob("*/*.json"))}


def _card(path: Path) -> str:
    trained: dict[str, Any] = json.loads(path.read_text())
    folder, model = path.parent.name, path.stem
    title, does = _WHAT[model]
    measured = CHECKOUT / "results" / f"assets-{_PRESETS[folder]}.json"
    found = json.loads(measured.read_text())
    figures = [(task, metric, words, found[name]) for name, task, metric, words in _FIGURES.get(model, ()) if name in found]
    data_type, data_name = _DATA[folder]
    about = ModelCardData(
        model_name=f"badood-{folder}-{model}",
        license="apache-2.0",
        library_name="badood",
        tags=["out-of-distribution-detection", "synthetic-outliers"],
        datasets=None if folder == "miniworld" else [data_type],
        eval_results=[
            EvalResult(
                task_type=task,
                dataset_type=data_type,
                dataset_name=data_name,
                dataset_split="test",
                metric_type=metric,
                metric_name=words,
                metric_value=round(float(value), 4),
            )
            for task, metric, words, value in figures
        ]
        or None,
    )
    reached = "".join(f"- {words}: {value:.3f}\n" for _, _, words, value in figures) or "- none of its own; see results/README.md.\n"
    settings = json.dumps(trained["settings"], indent=2)
    where = trained.get("device") or "CPU, two cores"
    return f"""---
{about.to_yaml()}
---

# {title}, {data_name}

`{path.stem}.safetensors`: {trained["parameters"]:,} parameters, {trained["bytes"] / 1e6:.1f} MB. It {does}.

## Use

For the preset `{_PRESETS[folder]}` of Bad-OOD Explorer, which loads it by itself: `python -m badood run --preset {_PRESETS[folder]}`. As the start of a training of your own:
`python -m badood train {_again(model, folder)}`. It fits the other models of its folder only.

## Limits

{_LIMITS[folder]} Not meant for decisions about people, nor as a safeguard by itself.

## Training

- Data: {trained["data"]}, {trained["rows"]:,} images.
- Command: `{trained["command"]}`; seed {trained["seed"]}; {trained["seconds_since_last_start"]:,} s since its last start, on {where}; {trained.get("trained", "")}.
- Key of the weights: `{trained["key"]}`.

<details><summary>Settings</summary>

```json
{settings}
```

</details>

## Figures

{reached}
On test images, one training, by `python -m badood check-assets`.

## Citation

See CITATION.cff of the repository.
"""


def _again(model: str, folder: str) -> str:
    """The arguments of a training that begins with the weights."""
    return f"detector --preset {_PRESETS[folder]} --data FOLDER" if model == "detector" else f"all --data FOLDER --from {folder}"


def listed() -> str:
    """A table of all shipped models that links their cards."""
    rows = []
    for path in cards():
        trained = json.loads(path.with_suffix(".json").read_text())
        title, does = _WHAT[path.stem]
        link = f"[{title}](../{path.relative_to(CHECKOUT)})"
        rows.append(f"| {link} | {_DATA[path.parent.name][1]} | {trained['parameters']:,} | {trained['bytes'] / 1e6:.1f} | {does} |\n")
    return "".join(["\n| model | trained on | parameters | MB | what it does |\n| --- | --- | --- | --- | --- |\n", *rows])
