"""A process that is spoken to: it answers in order, and that it ended is a reply too. One that helps ends with whom it helps."""

import subprocess
import sys

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


def test_a_process_whose_parent_was_gone_before_it_asked_ends() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    code = f"import time; from badood.core.processes import end_with_parent; end_with_parent({gone.pid}); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", code], timeout=50).returncode == 1
