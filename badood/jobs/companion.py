"""A warm process beside the dashboard that answers what needs a network within seconds, so that the dashboard itself loads none.

One question at a time, as a line of JSON each way on its standard input and output; what it can answer stands in `jobs.answers`.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

from badood.core.errors import BadInput
from badood.core.processes import Spoken
from badood.jobs.worker import log_folder


class CompanionDied(BadInput):
    """The process ended while it answered; it is started anew at the next question."""


@dataclass
class Companion:
    """The caller's end. Threads may share it; they wait for each other. The process starts at the first question or `warm`."""

    _process: Spoken | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, question: str, **arguments: Any) -> Any:
        """The answer to a question.

        Raises:
            BadInput: what the answer ended with, such as an empty band; or `CompanionDied`.
        """
        with self._lock:
            process = self._started()
            process.say({"question": question, "arguments": arguments})
            reply = process.heard()
        if reply is None:
            raise CompanionDied(
                f"the companion process ended while it answered {question!r}; its last words are in {log_folder() / 'companion.log'}."
            )
        if "error" in reply:
            raise BadInput(reply["error"])
        return reply["answer"]

    def warm(self) -> None:
        """Start the process and load the networks' code, before anyone waits for it."""
        threading.Thread(target=self.ask, args=("ping",), daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether a question is being answered."""
        return self._lock.locked()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _started(self) -> Spoken:
        if self._process is None or self._process.ended is not None:
            with (log_folder() / "companion.log").open("ab") as log:
                self._process = Spoken("badood.jobs.answers", log=log, apart=True)
        return self._process
