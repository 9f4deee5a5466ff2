"""Questions to the companion that no page waits for: asked once, answered in the background, kept."""

import json
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from badood.core.errors import BadInput
from badood.jobs.companion import Companion

_KEPT = 200

_FAILURE_KEPT = 15.0
"""Seconds until a question that failed is asked anew by whoever looks again: what was missing may be there by then. Not at once, or a page
that is drawn again until it has an answer would ask for ever."""

_pool = ThreadPoolExecutor(1, thread_name_prefix="companion")
_lock = threading.Lock()
_answers: "OrderedDict[str, Future[Any]]" = OrderedDict()
_failed_at: dict[str, float] = {}
_waiting: "dict[tuple[str, str], Future[Any]]" = {}


def asked(question: str, visitor: str, **arguments: Any) -> "Future[Any]":
    """The answer to a question, when it comes. A visitor's earlier question of the same kind is dropped if nobody else waits for it.

    Args:
        question: a name of `jobs.answers`. visitor: whose it is. arguments: of the question.
    """
    key = json.dumps([question, arguments], sort_keys=True)
    with _lock:
        future = _answers.get(key)
        if future is None or future.cancelled() or _failed_a_while_ago(key):
            _failed_at.pop(key, None)
            future = _answers[key] = _pool.submit(_answered, key, question, arguments)
        _wait((visitor, question), future)
        while len(_answers) > _KEPT:
            _failed_at.pop(_answers.popitem(last=False)[0], None)
    return future


def _wait(who: tuple[str, str], future: "Future[Any]") -> None:
    """Somebody waits for this answer, and for the one that they waited for before no more."""
    earlier = _waiting.pop(who, None)
    if not future.done():
        _waiting[who] = future
    if earlier is not None and earlier not in _waiting.values():
        earlier.cancel()
    for gone in [other for other, awaited in _waiting.items() if awaited.done()]:
        del _waiting[gone]


def _answered(key: str, question: str, arguments: dict[str, Any]) -> Any:
    """In the background: what the companion says; when it failed is noted."""
    try:
        return companion().ask(question, **arguments)
    except BaseException:
        _failed_at[key] = time.monotonic()
        raise


@lru_cache(maxsize=1)
def companion() -> Companion:
    """The one companion of this dashboard."""
    return Companion()


def _failed_a_while_ago(key: str) -> bool:
    return key in _failed_at and time.monotonic() - _failed_at[key] >= _FAILURE_KEPT


def outcome(answer: "Future[Any]") -> tuple[Any, str]:
    """What was answered, or what the answer ended with: one of both is empty. Both are while nothing is there yet."""
    if not answer.done() or answer.cancelled():
        return None, ""
    try:
        return answer.result(), ""
    except BadInput as error:
        return None, str(error)


def warm() -> None:
    """Have the companion load the networks' code before anyone waits for it."""
    asked("ping", "server")


def close() -> None:
    """End the companion; nothing waits for an answer any more."""
    with _lock:
        for future in _answers.values():
            future.cancel()
        for kept in (_answers, _failed_at, _waiting):
            kept.clear()
    companion().close()
