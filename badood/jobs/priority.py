"""How much of the processor a background process may take from the dashboard."""

import os
from contextlib import suppress
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares the processor between sessions first, and only then by niceness among the processes of one."""


def step_back(niceness: int) -> None:
    """Lower this process's priority; it leads a session of its own, or else it would slow down the others of its session.

    Args:
        niceness: 1 to 19; 19 takes only what nobody else wants.
    """
    os.nice(niceness)
    # not on other systems, nor where an administrator switched it off
    with suppress(OSError):
        _AUTOGROUP.write_text(str(niceness))
