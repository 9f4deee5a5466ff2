"""Whether models fit images that they were not made for: measured on some hundreds of them, before anything is made with the models.

What is measured is what `badood check-assets` measures of a preset's models on its own images; chance stands beside every figure.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

GAIN_DB = 4.0
"""By so much the tokenizer's PSNR has to exceed that of images of one colour, the chance level. Measured on photographs of 32 px: MiniWorld's
models 0.7 to 2, CIFAR's 8 to 9; on MiniWorld 12 and 8."""

ENOUGH_DB = 28.0
"""A PSNR that is enough whatever images of one colour reach: of images that hardly differ from such."""

SHARE_KEPT = 0.5
"""Of what k-NN on z0 is right more often than chance on images, decoding has to keep this share. CIFAR's models on photographs: 0.7 to 0.8."""

CERTAINTY = 2.0
"""Decoded images have to be right more often than chance by so many standard errors."""

NAMED = 0.6
"""CLIP knows the classes where it names them so often, on a scale from chance (0) to always (1)."""

CLEARLY = 0.2
"""One set of models fits clearly worse than another where decoding keeps the class less often by this, on a scale from chance (0) to always (1)."""


def shows(psnr_db: float, flat_psnr_db: float) -> bool:
    """Whether a tokenizer can show images, by its PSNR on them and that of images of one colour."""
    return psnr_db >= min(flat_psnr_db + GAIN_DB, ENOUGH_DB)


@dataclass(frozen=True)
class Figures:
    """What models reach on images. Shares are in [0, 1].

    Attributes:
        images: looked at. probes: rebuilt and decoded.
        chance: share of the largest class among the probes.
        knn_accuracy: images whose class the nearest other images name, on z0.
        psnr_db: of the tokenizer's reconstruction. flat_psnr_db: of images in their mean colour, which is chance.
        rebuilt_consistency: reconstructions that are given their class by k-NN.
        decode_consistency: decoded z0 that, encoded again, are given their class by k-NN; none where the tokenizer cannot show the images,
            and so no decoding can.
        clip_top1: images that CLIP names rightly, with the classes' names in its vocabulary. clip_chance: one over the number of names.
    """

    images: int
    probes: int
    chance: float
    knn_accuracy: float
    psnr_db: float
    flat_psnr_db: float
    rebuilt_consistency: float
    decode_consistency: float | None
    clip_top1: float
    clip_chance: float

    @property
    def shows(self) -> bool:
        """Whether the tokenizer can show such images."""
        return shows(self.psnr_db, self.flat_psnr_db)

    @property
    def lift(self) -> float:
        """How often decoding keeps the class: 0 = as chance has it, 1 = always."""
        return 0.0 if self.decode_consistency is None else lift_of(self.decode_consistency, self.chance)

    @property
    def misfit(self) -> str:
        """Why the models do not fit; empty where they do."""
        if not self.shows:
            return (
                f"the tokenizer's reconstructions reach {self.psnr_db:.1f} dB PSNR, and images of one colour {self.flat_psnr_db:.1f} "
                f"({GAIN_DB:g} more are needed)"
            )
        assert self.decode_consistency is not None
        error = math.sqrt(self.chance * (1 - self.chance) / self.probes)
        least = max(self.chance + CERTAINTY * error, self.chance + SHARE_KEPT * (self.knn_accuracy - self.chance))
        if self.decode_consistency >= least:
            return ""
        return (
            f"{percent(self.decode_consistency)} of decoded images keep their class ({percent(least)} needed, chance "
            f"{percent(self.chance)}), and k-NN on z0 is right for {percent(self.knn_accuracy)} of the images themselves"
        )

    def __str__(self) -> str:
        decoded = "not measured" if self.decode_consistency is None else percent(self.decode_consistency)
        return (
            f"PSNR {self.psnr_db:.1f} dB (one colour {self.flat_psnr_db:.1f}); class kept by rebuilding {percent(self.rebuilt_consistency)}, by "
            f"decoding {decoded} (chance {percent(self.chance)}, k-NN {percent(self.knn_accuracy)}); CLIP top-1 {percent(self.clip_top1)} "
            f"(chance {percent(self.clip_chance)})"
        )


@dataclass(frozen=True)
class ModelsFit:
    """Figures of one set of models.

    Attributes:
        models: the preset that has them. used: whether they are the run's own.
    """

    models: str
    used: bool
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """As `run.json` keeps it: models, used, fits, verdict (why), figures, and told: a line for people."""
        misfit, unnamed = self.figures.misfit, unnamed_by_clip(self.figures)
        verdict = f"does not fit: {misfit}" if misfit else f"fits{'; ' + unnamed if unnamed else ''}"
        told = f"models of {self.models}{' (used here)' if self.used else ''}: {verdict}. {self.figures}"
        return {
            "models": self.models,
            "used": self.used,
            "fits": not misfit,
            "verdict": verdict,
            "figures": asdict(self.figures),
            "told": told,
        }


def unnamed_by_clip(figures: Figures) -> str:
    """A caution where CLIP hardly knows the classes; empty else. It is none of the generator's, so that it stops nothing."""
    if lift_of(figures.clip_top1, figures.clip_chance) >= 0.2:
        return ""
    return f"CLIP names {percent(figures.clip_top1)} of the images rightly, so that types OOD-I to III say little"


def better(fits: Sequence[ModelsFit]) -> ModelsFit | None:
    """The set of models to take in place of the run's own; none where those are as good as any."""
    own = next(each for each in fits if each.used)
    fitting = [each for each in fits if not each.figures.misfit]
    best = max(fitting, key=lambda each: each.figures.lift, default=None)
    if best is None or best is own:
        return None
    clearly = bool(own.figures.misfit) or best.figures.lift >= own.figures.lift + CLEARLY
    return best if clearly else None


def refusal(fits: Sequence[ModelsFit]) -> str:
    """Why a run does not go on with its models, and what does; empty where they fit as well as any."""
    own, best = next(each for each in fits if each.used), better(fits)
    if best is None and not own.figures.misfit:
        return ""
    fault = f"do not fit these images: {own.figures.misfit}" if own.figures.misfit else f"fit these images clearly worse: {own.figures}"
    instead = (
        "No other models that are here fit either."
        if best is None
        else f"Those of {best.models} fit best: {best.figures}. Take them with --preset {best.models}."
    )
    return (
        f"the models of {own.models} {fault}. {instead} What also does: models of your own (`badood train all --data FOLDER`), outliers that "
        "something else made (--outliers PATH --only-imported), published weights (--preset imagenet100). To go on all the same: "
        "--set fit.accept=true."
    )


def lift_of(share: float, chance: float) -> float:
    """A share on a scale from chance (0) to always (1)."""
    return (share - chance) / max(1 - chance, 1e-9)


def percent(share: float) -> str:
    """For people."""
    return f"{100 * share:.0f} %"
