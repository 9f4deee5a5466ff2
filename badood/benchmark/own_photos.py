"""What somebody with some photos and no GPU gets from `badood train all`: `python -m badood.benchmark.own_photos FOLDER --route 32:cifar --minutes 20 --save`.

Told are time and disk of the whole training, as the command itself tells them before it starts; what a training of so many minutes reached; and a picture
of outliers. A route is a size in px, with the models that it starts from after a colon. Routes measured before stay on the page.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from badood.benchmark.assets import contact_sheet
from badood.config import load_config
from badood.core.artefacts import atomic_file, read_json, write_json
from badood.core.compute import choose
from badood.core.places import results
from badood.core.progress import Progress, Silent, duration
from badood.data.splits import load
from badood.encode.features import encode
from badood.pipeline.models import MODELS, Models
from badood.pipeline.recipe import Plan, planned
from badood.pipeline.train_all import begin_all, train_all
from badood.pipeline.wish import Wish

SHOWN = 40
"""Outliers in a picture."""
NAME = "own-photos"


def measure(photos: Path, route: str, minutes: float, picture: Path, progress: Progress | None = None) -> dict[str, Any]:
    """`whole` and `short`, the plans without and with a limit, and `before` and `after` of `OwnModels`.

    Args:
        photos: a subfolder a class. route: "32:cifar" or "128". minutes: of the training, by estimate. picture: PNG of outliers to write.
    """
    size, _, start = route.partition(":")
    with tempfile.TemporaryDirectory() as home:
        os.environ["BADOOD_HOME"] = home
        wish = Wish(photos, name="photos", size=int(size), start=start or None)
        whole = planned(wish)
        wish = Wish(photos, name="photos", size=int(size), start=start or None, minutes=minutes)
        plan = begin_all(wish)
        made = train_all(wish, plan, progress)
        models = Models(load_config(str(made.preset)))
        train = load(models.cfg.data.train, None)
        z0 = encode(models.encoder, train.pixels(models.cfg.data.image_size), models.compute)
        contact_sheet(models, train, z0, picture, progress or Silent(), SHOWN)
        before = None if made.before is None else asdict(made.before)
        return {"whole": _told(whole), "short": _told(plan), "kept": dict(made.kept), "before": before, "after": asdict(made.after)}


def _told(plan: Plan) -> dict[str, Any]:
    return {
        "images": plan.images,
        "seconds": dict(plan.seconds),
        "steps": dict(plan.steps),
        "weights_mb": plan.weights_mb,
        "checkpoint_mb": plan.checkpoint_mb,
        "warnings": list(plan.warnings),
    }


def page(found: Mapping[str, Any]) -> str:
    """The page of all routes, by route."""
    place = next(iter(found.values()))
    parts = [
        f"# Models for {place['whole']['images']:,} photos of one's own",
        f"Made by `python -m badood.benchmark.own_photos` on {place['cores']} cores ({place['cpu']}), without a GPU.",
        "## The whole training",
        "As `badood train all` tells it before it starts: minutes a model, and disk.",
        _whole(found),
        "## What a short training reached",
        "On test images. Chance and the model's own k-NN accuracy stand beside what decoding keeps; see [own images](../docs/own-images.md).",
        _reached(found),
        "## Outliers",
        *(
            f"{_named(route)}, after {duration(sum(entry['short']['seconds'].values()))}:\n\n![Outliers]({NAME}-{_file(route)}.png)"
            for route, entry in found.items()
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _named(route: str) -> str:
    size, _, start = route.partition(":")
    return f"{size} px, from {'the weights of ' + start if start else 'random weights'}"


def _file(route: str) -> str:
    return route.replace(":", "-")


def _whole(found: Mapping[str, Any]) -> str:
    lines = ["| models | " + " | ".join(MODELS) + " | all | weights | meanwhile |", "| --- |" + " ---: |" * (len(MODELS) + 3)]
    for route, entry in found.items():
        seconds, plan = entry["whole"]["seconds"], entry["whole"]
        cells = [f"{seconds[model] / 60:,.0f}" if model in seconds else "kept" for model in MODELS]
        lines.append(
            f"| {_named(route)} | {' | '.join(cells)} | {sum(seconds.values()) / 60:,.0f} | {plan['weights_mb']:,.0f} MB | {plan['checkpoint_mb']:,.0f} MB |"
        )
    warned = dict.fromkeys(warning for entry in found.values() for warning in entry["whole"]["warnings"])
    return "\n".join([*lines, *(f"\nWarned: {warning}" for warning in warned)])


def _reached(found: Mapping[str, Any]) -> str:
    lines = [
        "| models | PSNR, dB | of a mean colour | k-NN | class kept by decoding | chance | CLIP top-1 |",
        "| --- |" + " ---: |" * 6,
    ]
    for route, entry in found.items():
        for when in ("before", "after"):
            if (reached := entry[when]) is not None:
                kept = reached["decode_consistency"]
                cells = [
                    f"{reached['psnr_db']:.1f}",
                    f"{reached['flat_psnr_db']:.1f}",
                    f"{reached['knn_accuracy']:.1%}",
                    "–" if kept is None else f"{kept:.1%}",
                ]
                cells += [f"{reached['chance']:.1%}", f"{reached['clip_top1']:.1%}"]
                lines.append(f"| {_named(route)}, {'as given' if when == 'before' else 'trained'} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure the routes, and with --save keep page and pictures in results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path, help="a subfolder a class")
    parser.add_argument("--route", action="append", required=True, help="size in px, or SIZE:START; may be given again")
    parser.add_argument("--minutes", type=float, default=20, help="of each training, by estimate")
    parser.add_argument("--save", action="store_true", help=f"write results/{NAME}.json, .md and pictures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as elsewhere:
        folder = results() if asked.save else Path(elsewhere)
        kept = folder / f"{NAME}.json"
        found: dict[str, Any] = read_json(kept) if kept.exists() else {}
        for route in asked.route:
            place = {"cpu": choose().device_name(), "cores": os.cpu_count()}
            found[route] = place | measure(asked.photos, route, asked.minutes, folder / f"{NAME}-{_file(route)}.png")
            write_json(kept, found)
            with atomic_file(folder / f"{NAME}.md") as part:
                part.write_text(page(found))
        print(page(found))


if __name__ == "__main__":
    main()
