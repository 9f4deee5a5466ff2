from badood.store import Database, log, verdicts


def test_changes_and_verdicts_stand_in_one_list_newest_first(database: Database) -> None:
    log.write(database, "run", who="ada", run_id="one")
    verdicts.give(database, "one", [4, 7], "reject", who="bob")
    log.write(database, "retrain", who="ada", run_id="one", lo=0.3, hi=0.5)
    log.write(database, "delete run", who="ada", run_id="other")
    verdicts.give(database, "one", [4], "keep", who="bob")
    verdicts.undo(database, "one", who="bob")

    told = log.read(database)
    assert told["what"].tolist() == ["verdict keep", "delete run", "retrain", "verdict reject", "run"]
    assert told["who"].tolist() == ["bob", "ada", "ada", "bob", "ada"]
    assert told["details"].tolist()[1:] == ["", "lo=0.3, hi=0.5", "2 outliers", ""]
    assert told["details"][0].startswith("1 outlier, taken back 20")
    assert told["at"].is_monotonic_decreasing
    assert log.read(database, run_id="other")["what"].tolist() == ["delete run"]
    assert log.read(database, limit=2)["what"].tolist() == ["verdict keep", "delete run"]
