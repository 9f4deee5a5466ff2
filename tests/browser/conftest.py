"""A dashboard and a browser for every story."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from badood.core.artefacts import home
from badood.explore.finished import Finished
from badood.store import jobs, open_database
from tests.tools.browsing import chromium, free_port, served

expect.set_options(timeout=90_000)  # a machine that trains meanwhile answers late


@pytest.fixture
def port() -> int:
    """Where the dashboard listens."""
    return free_port()


@pytest.fixture
def address(small_run: Finished, port: int) -> Iterator[str]:
    """A dashboard on the test's own store; it starts its own worker."""
    jobs.leave(open_database(), jobs.own_id())  # the worker that the fixture entered is none
    with served(home(), port) as (url, _):
        yield url
    for worker in jobs.alive_workers(open_database()):
        os.kill(worker.pid, 15)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium() as opened:
        yield opened
