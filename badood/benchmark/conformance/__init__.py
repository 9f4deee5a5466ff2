"""The product's arithmetic against tensors recorded from the original implementations. One family of cases a file."""

from badood.benchmark.conformance.engine import FP32, LONG, Case, CaseResult, Check, family, replay, run_conformance

__all__ = ["FP32", "LONG", "Case", "CaseResult", "Check", "family", "replay", "run_conformance"]
