"""A process that is spoken to: it answers in order, and that it ended is a reply too. One that helps ends with whom it helps."""

import subprocess
import sys

from badood.core.processes import JsonProcess


def test_it_is_heard_until_it_ends() -> None:
    process = JsonProcess("badood.jobs.answers")
    try:
        for question in ("ping", "nothing of this name"):
            process.send({"question": question, "arguments": {}})
        assert process.receive() == {"answer": "here"}
        assert "nothing of this name" in (process.receive() or {})["error"]
        assert process.ended is None
    finally:
        process.kill()
    process.send({"question": "ping", "arguments": {}})
    assert process.receive() is None
    assert process.ended == -9


def test_a_process_whose_parent_was_gone_before_it_asked_ends() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    code = f"import time; from badood.core.processes import end_with_parent; end_with_parent({gone.pid}); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", code], timeout=50).returncode == 1
