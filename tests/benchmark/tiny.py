"""A preset on which a whole table of the paper takes seconds."""

from pathlib import Path

import yaml

TINY = {
    "base": "miniworld",
    "preset": "tiny",
    "compute": {"threads": 1},
    "synthesise": {"count": 48},
    "decode": {"draws": 1, "steps": 2},
    "data": {
        "train": {"params": {"count": 400}},
        "test": {"params": {"count": 60}},
        "auxiliary": [{"name": "auxiliary", "dataset": "miniworld", "params": {"classes": "auxiliary", "count": 40}}],
        "ood": [
            {"name": "near", "dataset": "miniworld", "split": "test", "params": {"classes": "near", "count": 40}},
            {"name": "textures", "dataset": "textures", "split": "test", "params": {"count": 40}},
        ],
        "real": {"name": "real", "dataset": "miniworld", "params": {"classes": "auxiliary", "count": 40, "seed": 1}},
        "grid": {"name": "grid", "dataset": "miniworld-grid", "split": "test", "params": {"per_cell": 1}},
    },
    "clip": {"styles": {"name": "styles", "dataset": "miniworld", "params": {"classes": "id", "count": 40, "covariate": 4}}},
    # long enough that the energy ranks the auxiliary set behind ID on any CPU, also where table8 removes half of the training images
    "detector": {
        "epochs": 6,
        "batch_size": 32,
        "rebuilt_share": 0,
        "backbone_params": {"channels": [16, 16, 32, 32], "stem_width": 8},
    },
    "calibrate": {"score": "energy"},
    "evaluate": {"filters": ["all"], "scorers": ["msp"]},
}


def written(folder: Path) -> str:
    """A YAML file of the preset; base miniworld."""
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return str(path)
