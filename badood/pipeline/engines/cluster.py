"""The Ray cluster that a process is part of."""

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import ray

from badood.core.artefacts import home
from badood.core.errors import BadConfig

_END_SECONDS = 10
"""That the processes of a cluster have to end."""

_PREFIX = "badood-ray-"
"""Of the folder in which a cluster of this process alone keeps its sockets and logs; the process's number follows."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it sends no figures to its makers
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",  # and writes nothing between our lines
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_agent_register_timeout_ms": "300000",  # a busy machine starts its agents late, and Ray would give it up
    "RAY_raylet_start_wait_time_s": "300",
}
"""How Ray is to behave, in its own words: environment variables."""


@contextmanager
def joined(address: str | None = None) -> Iterator[None]:
    """As long as the block lasts, this process is part of a cluster.

    Args:
        address: of the cluster's head, or "auto" on one of its machines; none = a cluster of this machine, which ends with the block.

    Raises:
        BadConfig: there is no cluster.
    """
    os.environ.update(SETTINGS)
    on_term = signal.getsignal(signal.SIGTERM)
    with _folder() as folder:
        own = {"address": "local", "include_dashboard": False, "_temp_dir": folder}
        try:
            ray.init(
                **({"address": address} if address else own),
                runtime_env={"env_vars": _environment()},
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError) as error:
            if address is None:
                raise
            raise BadConfig(f"no Ray cluster at {address} ({error}); start one with `ray start --head`, and give its address.") from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_term)  # Ray puts its own there
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        try:
            yield
        finally:
            ours = [] if address else psutil.Process().children(recursive=True)
            ray.shutdown()
            psutil.wait_procs(ours, timeout=_END_SECONDS)  # or they write into the folder while it is removed


def _environment() -> dict[str, str]:
    """What workers are to have as this process has it. As many threads for numpy: Ray would give it one, and its sums round by their number.

    No more than that: the cluster keeps it, and the address of the database holds a password.
    """
    return {"BADOOD_HOME": str(home()), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))}


@contextmanager
def _folder() -> Iterator[str]:
    """A temporary folder, removed at the end; those of killed processes are removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(left.name.removeprefix(_PREFIX).split("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        yield folder
