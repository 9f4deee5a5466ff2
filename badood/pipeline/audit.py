"""Outliers of any generator under a detector that exists: scored, typed, described, and nothing trained."""

from collections.abc import Sequence
from pathlib import Path

from badood.config import Config, validate
from badood.core.errors import BadConfig
from badood.core.progress import Progress
from badood.pipeline.opened import recorded
from badood.pipeline.own_outliers import with_outliers
from badood.pipeline.path import run as run_path
from badood.pipeline.runs import Run, open_run


def audit(outliers: Sequence[Path], judge: Config | Run | str, name: str | None = None, progress: Progress | None = None) -> Run:
    """A run whose outliers are imported and whose detector is taken as it is.

    Args:
        outliers: what holds them: folders, parquet, tar, .npy, .npz; a source each, named after it.
        judge: settings that name a detector (`detector.weights`), or a finished run, whose first detector and images are used again.
        name: of the run that is made.

    Raises:
        BadInput: the settings name no detector, or what `path.run` ends with.
    """
    like = None if isinstance(judge, Config) else judge if isinstance(judge, Run) else open_run(judge)
    cfg = judge if isinstance(judge, Config) else _of_run(like)
    if cfg.detector.weights is None:
        raise BadConfig("an audit trains nothing: name the detector with detector.weights=FILE, or a run that has one.")
    content = with_outliers(cfg, outliers, only=True).model_dump()
    content["detector"]["mode"] = "as-is"
    content["filter"] |= {"strategy": "all"}
    content["evaluate"]["filters"] = ["all"]
    return run_path(validate(content, source="audit"), name, progress, like=like)


def _of_run(run: Run | None) -> Config:
    """The settings of a run with its own first detector as the given one."""
    assert run is not None
    own = run.folder / run.record["results"].get("detector", "") / "detector.safetensors"
    # however well it does: it is the run's own, and nobody doubts what network it is
    detector = run.cfg.detector.model_copy(update={"weights": str(own), "expected_accuracy": 0.0})
    # baselines are for comparing detectors, and a plug-in of the run's own may not be here
    evaluate = run.cfg.evaluate.model_copy(update={"scorers": []})
    return run.cfg.model_copy(update={"detector": detector, "evaluate": evaluate, "calibrate": recorded(run).scoring})
