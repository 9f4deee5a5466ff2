"""The login, against a real OpenID Connect provider on this machine."""

from collections.abc import Iterator
from pathlib import Path

import oidc_provider_mock
import pytest
from playwright.sync_api import Browser, Page, expect

from badood.store import open_database
from badood.store.verdicts import current


@pytest.fixture
def provider(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider, and the settings by which a dashboard asks it."""
    secrets = tmp_path / "secrets.toml"
    with oidc_provider_mock.run_server_in_thread() as server:
        secrets.write_text(f"""[auth]
redirect_uri = "http://localhost:{port}/oauth2callback"
cookie_secret = "a long random string"
client_id = "bad-ood"
client_secret = "any"
server_metadata_url = "http://localhost:{server.server_port}/.well-known/openid-configuration"

[roles]
editors = ["ada@example.org", "*@editors.example.org"]
""")
        monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(secrets))
        yield


@pytest.fixture
def page(provider: None, address: str, port: int, browser: Browser) -> Iterator[Page]:
    """A dashboard that asks for a login, by the name that the provider sends people back to."""
    opened = browser.new_page(base_url=f"http://localhost:{port}")
    yield opened
    opened.close()  # or the provider waits for its connection


def log_in(page: Page, address: str) -> None:
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/oauth2/authorize**")
    page.get_by_role("textbox").first.fill(address)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text(f"Logged in as {address}")).to_be_visible()


def test_a_verdict_is_written_down_under_the_address_of_the_login(page: Page) -> None:
    page.goto("/outliers?run=small")
    expect(page.get_by_text("This dashboard asks who you are")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(0)

    log_in(page, "ada@example.org")
    page.goto("/outliers?run=small")
    page.locator(".tile").first.click()
    page.keyboard.press("k")
    expect(page.get_by_text("1 judged")).to_be_visible()
    assert set(current(open_database(), "small")["who"]) == {"ada@example.org"}

    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="End session").click()  # the provider asks
    expect(page.get_by_text("This dashboard asks who you are")).to_be_visible()


def test_who_is_no_editor_may_look_only(page: Page) -> None:
    page.goto("/outliers?run=small")
    log_in(page, "eve@example.org")
    expect(page.get_by_text("to look only")).to_be_visible()
    page.goto("/outliers?run=small")
    tiles = page.locator(".tile")
    expect(tiles).not_to_have_count(0)
    expect(page.locator(".bar [data-do=keep]")).to_be_hidden()
    tiles.first.focus()
    page.keyboard.press("k")
    # a browser can be made to say what the page does not offer: it is the server that refuses
    page.locator(".gallery").evaluate(
        """root => root.at.out.acts.push({ id: `${root.at.out.browser}:${"0".repeat(32)}`, run: "small", ids: [0], verdict: "keep" })"""
    )
    expect(page.get_by_text("may look, not change")).to_be_visible()
    expect(page.locator(".saving")).to_be_empty()
    assert current(open_database(), "small").empty

    page.goto("/runs")
    expect(page.get_by_text("small", exact=True).first).to_be_visible()
    for name in ("Delete", "Start the run"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    page.goto("/band?run=small")
    expect(page.get_by_role("button", name="Retrain on this band")).to_be_disabled()
