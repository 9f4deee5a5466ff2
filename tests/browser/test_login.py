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
""")
        monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(secrets))
        yield


@pytest.fixture
def page(provider: None, address: str, port: int, browser: Browser) -> Iterator[Page]:
    """A dashboard that asks for a login, by the name that the provider sends people back to."""
    opened = browser.new_page(base_url=f"http://localhost:{port}")
    yield opened
    opened.close()  # or the provider waits for its connection


def test_a_verdict_is_written_down_under_the_address_of_the_login(page: Page) -> None:
    page.goto("/outliers?run=small")
    expect(page.get_by_text("This dashboard asks who you are")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(0)

    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/oauth2/authorize**")
    page.get_by_role("textbox").first.fill("ada@example.org")
    page.get_by_role("button", name="Authorize").click()

    expect(page.get_by_text("Logged in as ada@example.org")).to_be_visible()
    page.goto("/outliers?run=small")
    page.locator(".tile").first.click()
    page.keyboard.press("k")
    expect(page.get_by_text("1 judged")).to_be_visible()
    assert set(current(open_database(), "small")["who"]) == {"ada@example.org"}

    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="End session").click()  # the provider asks
    expect(page.get_by_text("This dashboard asks who you are")).to_be_visible()
