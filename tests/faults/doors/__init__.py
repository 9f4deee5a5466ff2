"""The ways in: for each what is put there, and what reads it. A new reader is one function here."""

from tests.faults.doors import images, models, runs  # each enters its doors
from tests.faults.doors.door import DOORS, SHARES

__all__ = ["DOORS", "SHARES", "images", "models", "runs"]
