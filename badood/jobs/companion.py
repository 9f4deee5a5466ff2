"""A warm process beside the dashboard that answers what needs a network within seconds, so that the dashboard itself loads none.

One question at a time, as a line of JSON each way on its standard input and output; what it can answer stands in `jobs.answers`.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from badood.core.errors import BadInput
from badood.core.processes import JsonProcess
from badood.jobs.worker import log_folder


class CompanionDied(BadInput):
    """The process ended while it answered; it is started anew at the next question."""


@dataclass
class Companion:
    """The caller's end. Threads may share it; they wait for each other. The process starts at the first question."""

    _process: JsonProcess | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, question: str, **arguments: Any) -> Any:
        """The answer to a question.

        Raises:
            BadInput: what the answer ended with, such as an empty band; or `CompanionDied`.
        """
        with self._lock:
            process = self._started()
            process.send({"question": question, "arguments": arguments})
            reply = process.receive()
        if reply is None:
            raise CompanionDied(
                f"the companion process ended while it answered {question!r}; its last words are in {log_folder() / 'companion.log'}."
            )
        if "error" in reply:
            raise BadInput(reply["error"])
        return reply["answer"]

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _started(self) -> JsonProcess:
        if self._process is None or self._process.ended is not None:
            with (log_folder() / "companion.log").open("ab") as log:
                self._process = JsonProcess("badood.jobs.answers", log=log, apart=True)
        return self._process
