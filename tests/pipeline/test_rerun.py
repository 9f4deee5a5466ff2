"""A run that is repeated from its record comes out the same, and what does not is named."""

import pytest

from badood.core.errors import BadInput
from badood.explore.finished import Finished
from badood.pipeline.rerun import rerun


@pytest.mark.slow
def test_a_run_repeated_from_its_record_is_the_same(small_run: Finished) -> None:
    after, differing = rerun(small_run.run)
    assert after.id == "small-again"
    assert differing.empty, differing.to_string()
    assert after.folder != small_run.run.folder
    with pytest.raises(BadInput, match="runs delete small-again"):
        rerun(small_run.run)


@pytest.mark.slow
def test_what_differs_is_named(small_run: Finished) -> None:
    row = small_run.run.rows["all"].to_json()
    small_run.run.change(lambda record: record["metrics"].update({"all": row | {"auroc": 0.5}}))
    _, differing = rerun(small_run.run)
    assert differing[["place", "what", "before"]].values.tolist() == [["filter all", "auroc", 0.5]]


def test_an_unfinished_run_is_refused(small_run: Finished) -> None:
    small_run.run.note(state="interrupted")
    with pytest.raises(BadInput, match="interrupted"):
        rerun(small_run.run)
