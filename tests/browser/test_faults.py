"""What a person sees when the dashboard or the worker is killed in the middle of a job."""

import os
import re
import signal

import pytest
from playwright.sync_api import Browser, expect

from badood.config import load_config
from badood.core.artefacts import home
from badood.explore.finished import Finished
from badood.jobs import queue
from badood.store import jobs, open_database
from tests.tools.browsing import CHROMIUM, served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium: apt-get install chromium"),
]


def test_a_killed_dashboard_and_a_killed_worker_lose_nothing(small_run: Finished, browser: Browser) -> None:
    database = open_database()
    jobs.leave(database, jobs.own_id())  # the worker that the fixture entered is none
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    at_work = page.get_by_text(re.compile("Run: (starting|encode|synthesise|decode|detect)"))
    job = queue.submit("run", {"config": load_config("miniworld").model_dump(mode="json"), "name": "long"}, "long")

    with served(home()) as (url, dashboard):
        page.goto(url)
        expect(at_work).to_be_visible()
        dashboard.kill()

    with served(home()) as (url, _):
        page.goto(url)
        expect(at_work).to_be_visible()
        (worker,) = jobs.alive_workers(database)
        running = jobs.get(database, job.id)
        assert (running.state, running.worker_id) == ("running", worker.id)

        # the page says what happened and starts another worker, which goes on when it is told to
        os.kill(worker.pid, signal.SIGKILL)
        expect(page.get_by_text("interrupted: the worker died or the machine went down")).to_be_visible()
        page.get_by_role("button", name="Resume").click()
        expect(at_work).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        expect(at_work).to_have_count(0)
        assert jobs.get(database, job.id).state == "cancelled"
        (other,) = jobs.alive_workers(database)
        assert other.id != worker.id
    os.kill(other.pid, signal.SIGTERM)
