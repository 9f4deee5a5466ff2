"""Questions to the companion that no page waits for: asked once, answered in the background, kept."""

import json
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from app.workers import companion
from badood.core.errors import BadInput
from badood.jobs.companion import CompanionDied

_KEPT = 200

_pool = ThreadPoolExecutor(1, thread_name_prefix="companion")
_answers: "OrderedDict[str, Future[Any]]" = OrderedDict()
_waiting: "dict[tuple[str, str], Future[Any]]" = {}


def asked(question: str, visitor: str, **arguments: Any) -> "Future[Any]":
    """The answer to a question, when it comes. A visitor's earlier question of the same kind that still waits is dropped.

    Args:
        question: a name of `jobs.answers`. visitor: whose it is. arguments: of the question.
    """
    key = json.dumps([question, arguments], sort_keys=True)
    found = _answers.get(key)
    if found is not None and not found.cancelled() and not (found.done() and isinstance(found.exception(), CompanionDied)):
        return found
    earlier = _waiting.pop((visitor, question), None)
    if earlier is not None:
        earlier.cancel()
    _answers[key] = _waiting[visitor, question] = future = _pool.submit(companion().ask, question, **arguments)
    while len(_answers) > _KEPT:
        _answers.popitem(last=False)
    return future


def outcome(answer: "Future[Any]") -> tuple[Any, str]:
    """What was answered, or what the answer ended with: one of both is empty. Both are while nothing is there yet."""
    if not answer.done() or answer.cancelled():
        return None, ""
    try:
        return answer.result(), ""
    except BadInput as error:
        return None, str(error)


def close() -> None:
    """End the companion; nothing waits for an answer any more."""
    for future in _answers.values():
        future.cancel()
    _answers.clear()
    _waiting.clear()
    companion().close()
