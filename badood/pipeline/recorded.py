"""The outliers of a run as far as it has come, for looking; apart from `opened`, so that the dashboard loads no torch."""

from badood.core.errors import BadInput
from badood.pipeline.artefacts import Made, Outliers
from badood.pipeline.runs import Run


def recorded_outliers(run: Run) -> Outliers:
    """The outliers of a run, also of one that has not come further.

    Raises:
        BadInput: there are none yet.
    """
    record = run.record
    if "sources" not in record["results"]:
        raise BadInput(f"run {run.id} has no outliers yet (state: {record['state']}); finish it by the command that began it.")
    # in the settings' order; the order decides the numbers
    places = record["results"]["sources"]
    lacking = [entry.name for entry in run.cfg.outliers if entry.name not in places]
    if lacking:
        raise BadInput(f"run {run.id} names no outliers of its source {lacking[0]!r}; its run.json was changed: start the run again.")
    return Outliers(tuple((entry.name, Made(run.folder / places[entry.name])) for entry in run.cfg.outliers))
