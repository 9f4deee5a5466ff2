"""A process that is spoken to: it answers in order, and that it ended is a reply too."""

from badood.core.processes import Spoken


def test_it_is_heard_until_it_ends() -> None:
    process = Spoken("badood.jobs.answers")
    try:
        for question in ("ping", "nothing of this name"):
            process.say({"question": question, "arguments": {}})
        assert process.heard() == {"answer": "here"}
        assert "nothing of this name" in (process.heard() or {})["error"]
        assert process.ended is None
    finally:
        process.kill()
    process.say({"question": "ping", "arguments": {}})
    assert process.heard() is None
    assert process.ended == -9
