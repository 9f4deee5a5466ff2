"""The companion process itself: it answers, says what was wrong with a question, and is there again after it died."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from badood.config import load_config
from badood.core.errors import BadInput
from badood.jobs.companion import Companion


@pytest.fixture
def companion() -> Iterator[Companion]:
    started = Companion()
    yield started
    started.close()


def answering() -> psutil.Process:
    return next(child for child in psutil.Process().children() if "badood.jobs.answers" in child.cmdline())


def test_it_answers_and_a_bad_question_does_not_end_it(companion: Companion) -> None:
    assert companion.ask("ping") == "here"
    first = answering().pid
    with pytest.raises(BadInput, match="no run 'nobody'"):
        companion.ask("preview", run="nobody", filter={})
    assert {"energy", "knn"} < set(companion.ask("scorers")[0])
    assert answering().pid == first


def test_after_it_died_the_next_question_starts_it_anew(companion: Companion) -> None:
    companion.ask("ping")
    dead = answering()
    dead.kill()
    dead.wait()
    assert companion.ask("ping") == "here"
    assert answering().pid != dead.pid


def test_settings_are_looked_through_before_a_run(companion: Companion, tmp_path: Path) -> None:
    config = load_config("miniworld").model_dump(mode="json")
    assert companion.ask("preflight", config=config) == "ready"
    with pytest.raises(BadInput, match="weights are missing"):
        companion.ask("preflight", config=config | {"weights": str(tmp_path)})
    outliers = [{"name": "mine", "source": "imported", "params": {"path": str(tmp_path / "gone")}}]
    with pytest.raises(BadInput, match="gone"):
        companion.ask("preflight", config=config | {"outliers": outliers})
