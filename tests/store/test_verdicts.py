import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from badood.core.errors import BadInput
from badood.store import Database, open_database, tags, verdicts


def standing(database: Database, run: str = "run") -> dict[int, str]:
    table = verdicts.current(database, run)
    return dict(zip(table["outlier_id"], table["verdict"], strict=True))


def test_the_newest_verdict_stands(database: Database) -> None:
    verdicts.give(database, "run", [3, 1], "keep", who="ada")
    verdicts.give(database, "run", [1], "reject", who="bob", note="looks like noise")
    assert standing(database) == {1: "reject", 3: "keep"}
    assert verdicts.current(database, "run")["note"].tolist() == ["looks like noise", ""]


def test_runs_do_not_see_each_others_verdicts(database: Database) -> None:
    verdicts.give(database, "run", [1], "keep", who="ada")
    assert standing(database, "other") == {}


def test_undo_brings_back_what_was_there_before(database: Database) -> None:
    verdicts.give(database, "run", [1, 2], "keep", who="ada")
    verdicts.give(database, "run", [2, 5], "reject", who="ada")
    act = verdicts.undo(database, "run", who="ada")
    assert act is not None
    assert act.verdict == "reject"
    assert standing(database) == {1: "keep", 2: "keep"}


def test_undo_takes_back_ones_own_act_only(database: Database) -> None:
    verdicts.give(database, "run", [1], "keep", who="ada")
    verdicts.give(database, "run", [2], "reject", who="bob")
    verdicts.undo(database, "run", who="ada")
    assert standing(database) == {2: "reject"}


def test_undo_with_nothing_to_take_back(database: Database) -> None:
    assert verdicts.undo(database, "run", who="ada") is None


def test_history_keeps_what_was_undone(database: Database) -> None:
    verdicts.give(database, "run", [7], "keep", who="ada")
    verdicts.give(database, "run", [7], "unsure", who="ada")
    verdicts.undo(database, "run", who="ada")
    table = verdicts.history(database, "run", 7)
    assert table["verdict"].tolist() == ["keep", "unsure"]
    assert table["undone_at"].isna().tolist() == [True, False]


def test_unknown_verdict_is_refused(database: Database) -> None:
    with pytest.raises(BadInput, match="keep, reject, unsure"):
        verdicts.give(database, "run", [1], "maybe", who="ada")  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [-1, 2**31, 2**70])
def test_a_number_that_no_outlier_has_is_refused(database: Database, number: int) -> None:
    with pytest.raises(BadInput, match="numbered from 0 on"):
        verdicts.give(database, "r", [3, number], "keep", who="a")
    with pytest.raises(BadInput, match="numbered from 0 on"):
        tags.put(database, "r", [3, number], "odd", who="a")


def test_a_verdict_on_nothing_is_refused(database: Database) -> None:
    with pytest.raises(BadInput, match="select some"):
        verdicts.give(database, "run", [], "keep", who="ada")


acts = st.lists(st.tuples(st.sets(st.integers(0, 5), min_size=1), st.sampled_from(verdicts.VERDICTS)), max_size=6)


@settings(max_examples=25, deadline=None)
@given(acts=acts)
def test_undoing_everything_walks_back_through_every_state(acts: list[tuple[set[int], verdicts.Verdict]]) -> None:
    database = open_database("sqlite:///:memory:")
    run = f"run-{id(acts)}"
    states = [standing(database, run)]
    for chosen, verdict in acts:
        verdicts.give(database, run, chosen, verdict, who="ada")
        states.append(standing(database, run))
    for before in reversed(states[:-1]):
        verdicts.undo(database, run, who="ada")
        assert standing(database, run) == before


def test_what_is_told_twice_is_written_once(database: Database) -> None:
    first = verdicts.give(database, "run", [1], "keep", who="local", origin="tab:1")
    again = verdicts.give(database, "run", [1], "keep", who="local", origin="tab:1")
    assert again == first
    verdicts.give(database, "run", [1], "reject", who="local", origin="tab:2")
    assert verdicts.history(database, "run", 1)["verdict"].tolist() == ["keep", "reject"]
    for _ in range(2):
        act = verdicts.undo(database, "run", who="local", origin="tab:3")
        assert act is not None
        assert act.verdict == "reject"
    assert standing(database) == {1: "keep"}


def test_undo_can_be_kept_to_one_browser(database: Database) -> None:
    """Nobody logs in, so that all are "local"."""
    verdicts.give(database, "run", [1], "keep", who="local", origin="mine:1")
    verdicts.give(database, "run", [2], "reject", who="local", origin="other:1")
    verdicts.give(database, "run", [3], "reject", who="local", origin="mine%:1")
    act = verdicts.undo(database, "run", who="local", browser="mine")
    assert act is not None
    assert act.verdict == "keep"
    assert verdicts.undo(database, "run", who="local", browser="mine") is None
    assert standing(database) == {2: "reject", 3: "reject"}


def test_what_each_person_says_stands_beside_what_others_say(database: Database) -> None:
    verdicts.give(database, "run", [1, 2], "keep", who="ada")
    verdicts.give(database, "run", [1], "reject", who="bob")
    verdicts.give(database, "run", [2], "unsure", who="ada")
    table = verdicts.of_each(database, "run")
    assert table.to_numpy().tolist() == [["ada", 1, "keep"], ["ada", 2, "unsure"], ["bob", 1, "reject"]]
    verdicts.undo(database, "run", who="ada")
    assert verdicts.of_each(database, "run")["verdict"].tolist() == ["keep", "keep", "reject"]
