"""Whatever comes in is read, or refused in words that help: no traceback, no file elsewhere, no code run, no end of memory."""

import pickle
from pathlib import Path

import pytest

from tests.faults.hostile import explore, shared_out
from tests.faults.inputs import CANARY, Bomb
from tests.faults.watched import Watched

INPUTS = shared_out(300)
"""`make hostile` tries 10,000."""


@pytest.mark.parametrize("name", INPUTS)
def test_what_comes_in_is_read_or_refused(name: str, tmp_path: Path) -> None:
    outcome = explore(name, INPUTS[name], tmp_path)
    assert outcome.failures == {}
    assert outcome.tried > 0


def test_the_watch_sees_code_that_runs_files_elsewhere_and_memory(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    with pytest.raises(AssertionError, match=r"os\.system"):
        watched.try_one(lambda folder: pickle.loads(pickle.dumps(Bomb(watched.outside))), lambda folder: None)
    (watched.outside / CANARY).unlink()
    with pytest.raises(AssertionError, match=r"it did .*open"):
        watched.try_one(lambda folder: (folder.parent.parent / "x").write_text("x"), lambda folder: None)
    (tmp_path / "x").unlink()
    with pytest.raises(AssertionError, match=r"it took [\d,]+ MB"):
        watched.try_one(lambda folder: bytearray(2 * 2**30), lambda folder: None)
