"""A dashboard and a browser for every story."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, expect

from app.browsing import chromium, served
from badood.core.artefacts import home
from badood.explore.finished import Finished
from badood.store import jobs, open_database

expect.set_options(timeout=90_000)  # a machine that trains meanwhile answers late


Dashboard = Callable[[int | None], AbstractContextManager[str]]
"""Port, none = any free one -> a dashboard's address."""


@contextmanager
def _dashboard(port: int | None) -> Iterator[str]:
    """It starts its own worker."""
    jobs.leave(open_database(), jobs.own_id())  # the worker that the fixture entered is none
    with served(home(), port) as (url, _):
        yield url
    for worker in jobs.alive_workers(open_database()):
        os.kill(worker.pid, 15)


@pytest.fixture
def dashboard(small_run: Finished) -> Dashboard:
    """Dashboards on the test's own store."""
    return _dashboard


@pytest.fixture
def address(dashboard: Dashboard) -> Iterator[str]:
    """A dashboard."""
    with dashboard(None) as url:
        yield url


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as opened:
        yield opened
