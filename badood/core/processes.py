"""Processes that work for another one."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, TextIO


class JsonProcess:
    """A module that runs in a process of its own; each message is a line of JSON, either way.

    Args:
        module: as `python -m` takes it; it reads and answers by `lines`. Its one argument is this process's id, for `end_with_parent`.
        log: takes what it writes to standard error; none = this process's own standard error.
        apart: in a session of its own, so that Ctrl-C does not reach it.
    """

    def __init__(self, module: str, *, log: IO[bytes] | None = None, apart: bool = False) -> None:
        command = [sys.executable, "-m", module, str(os.getpid())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=apart
        )

    @property
    def ended(self) -> int | None:
        """Its exit code; none while it lives."""
        return self._process.poll()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message. One that cannot be sent is lost: `receive` tells that the process ended."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def receive(self) -> dict[str, Any] | None:
        """Wait for its next message; none where the process ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            message: dict[str, Any] = json.loads(line)
            return message
        self._process.wait()
        return None

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()


def lines() -> tuple[TextIO, TextIO]:
    """Where a `JsonProcess` reads, and where it answers, seen from inside it; what libraries print goes to standard error, not between the answers."""
    replies, sys.stdout = sys.stdout, sys.stderr
    return sys.stdin, replies


def end_with_parent(parent: int) -> None:
    """End this process as soon as the one that started it is gone, so that no training goes on that nobody can see or cancel.

    Args:
        parent: its process id, told by itself: it may be gone before this process asks who its parent is.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
