"""Where stages run, with the same functions and the same bytes: `Local` in this process, `Processes` in some beside it as well, `Ray` on a cluster."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from badood.core.errors import BadConfig
from badood.pipeline.engines.local import Local
from badood.pipeline.engines.processes import Processes
from badood.pipeline.run import Run
from badood.pipeline.stage import Context, Engine

__all__ = ["Local", "MakeEngine", "Name", "Processes", "engine"]

Name = Literal["processes", "local", "ray"]
MakeEngine = Callable[[Run, Context], Engine]


@contextmanager
def engine(name: Name = "processes", address: str | None = None) -> Iterator[MakeEngine]:
    """What makes an engine of this name, for as long as the block lasts.

    Args:
        address: of a Ray cluster that is there; none = one of this machine alone.

    Raises:
        BadConfig: Ray is not installed, or has no cluster there; or an address for another engine.
    """
    if name != "ray":
        if address is not None:
            raise BadConfig(f"--address {address} names a Ray cluster, and the engine is {name}; add --engine ray.")
        yield {"local": Local, "processes": Processes}[name]
        return
    try:
        from badood.pipeline.engines.cluster import joined
        from badood.pipeline.engines.ray import Ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise BadConfig("the engine ray needs Ray, which is not installed: pip install 'badood[ray]'.") from error
    with joined(address):
        yield Ray
