"""Errors a user can meet. Each message names the thing, its value, what was expected and what to do."""


class BadOODError(Exception):
    """Base of every error that is reported without a traceback; the CLI ends with exit code 1."""


class BadInput(BadOODError):
    """A file, field or argument cannot be used."""


class BadConfig(BadInput):
    """A setting is unknown or out of range; the CLI ends with exit code 2."""


class BadWeights(BadInput):
    """A weights file does not fit the network, or may not be read safely."""


class Uncalibrated(BadInput):
    """No calibration can be fitted to these scores."""


class ReversedOrder(Uncalibrated):
    """A calibration would rank ID images below OOD images."""


class EmptySelection(BadInput):
    """A filter keeps no outlier."""


class StorageFull(BadOODError):
    """The disk is full; what was there before is untouched."""


class TrainingDiverged(BadOODError):
    """The loss is not finite any more; the last good checkpoint is kept."""


class ProcessDied(BadOODError):
    """A process that worked for this one ended before its work was done."""
