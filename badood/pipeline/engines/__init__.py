"""Where stages run, with the same functions and the same bytes: `Local` in this process, `Processes` in some beside it as well."""

from badood.pipeline.engines.local import Local
from badood.pipeline.engines.processes import Processes

__all__ = ["Local", "Processes"]
