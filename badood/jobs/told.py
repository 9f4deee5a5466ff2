"""What a job is and how far, in a few words."""

from badood.core.errors import BadInput
from badood.pipeline.runs import open_run
from badood.store.tables import Job

_NAMES = {"retrain": "Retraining", "sweep": "Sweep over all bands", "run": "Run", "train": "Training a model", "benchmark": "Benchmark"}


def title(job: Job) -> str:
    """What it does."""
    chosen = job.arguments.get("filter", {})
    band = f" on band {chosen['lo']:.4g} to {chosen['hi']:.4g}" if "lo" in chosen else ""
    band += f" of {', '.join(chosen['sources'])}" if chosen.get("sources") else ""
    named = f" “{job.arguments['name']}”" if job.kind in ("retrain", "benchmark") and job.arguments.get("name") else ""
    return f"{_NAMES.get(job.kind, job.kind)}{named}{band}"


def stage(job: Job) -> str:
    """Which stage of how many it is at, and how far that is."""
    share = f" {100 * job.step / job.total:.0f} %" if job.step and job.total else ""
    return f"{job.stage or 'starting'}{share}{_of_all(job)}"


def _of_all(job: Job) -> str:
    """Which stage of how many; empty where the job is no whole run, or has not begun."""
    if job.kind != "run" or job.stage is None:
        return ""
    try:
        record = open_run(str(job.run_id)).record
    except BadInput:  # not made yet
        return ""
    planned = record.get("outline") or []
    done = len(set(planned) & set(record["stages"]))
    return f", stage {min(done + 1, len(planned))} of {len(planned)}" if planned else ""
