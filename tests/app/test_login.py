"""The login: absent unless a provider is configured, and then in front of everything."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import server
from badood.explore.finished import Finished

PAGE = """
import streamlit as st
from app.parts.login import require_login
require_login()
st.write("inside")
"""


def shown(page: str = PAGE, **secrets: object) -> tuple[list[str], list[str]]:
    """Texts and buttons of a page behind the login."""
    test = AppTest.from_string(page)
    test.secrets["auth"] = {}
    for name, value in secrets.items():
        test.secrets[name] = value
    test.run()
    assert not test.exception
    return [text.value for text in test.markdown], [button.label for button in test.button]


def test_without_a_provider_everybody_is_let_in() -> None:
    assert shown() == (["inside"], [])


def test_with_a_provider_a_stranger_is_asked_to_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.user", {"is_logged_in": False})
    texts, buttons = shown()
    assert buttons == ["Log in"]
    assert "inside" not in texts


def test_who_logged_in_is_let_in_and_can_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.user", {"is_logged_in": True, "email": "ada@example.org"})
    assert shown() == (["inside"], ["Log out"])


EDITING = """
import streamlit as st
from app.changing import may_edit
st.write("edits" if may_edit() else "looks")
"""


@pytest.mark.parametrize(
    ("address", "editors", "said"),
    [
        ("ada@example.org", None, "edits"),
        ("ada@example.org", ["ada@example.org"], "edits"),
        ("Ada@Lab.example.org", ["*@lab.example.org"], "edits"),
        ("eve@example.org", ["ada@example.org", "*@lab.example.org"], "looks"),
        ("eve@evil.org?@lab.example.org.evil", ["*@lab.example.org"], "looks"),
        ("ada@example.org", [], "looks"),
        ("", ["*@lab.example.org"], "looks"),
    ],
)
def test_who_may_change_anything(monkeypatch: pytest.MonkeyPatch, address: str, editors: list[str] | None, said: str) -> None:
    monkeypatch.setattr("streamlit.user", {"is_logged_in": True, "email": address})
    assert shown(EDITING, **({} if editors is None else {"roles": {"editors": editors}}))[0] == [said]


def test_without_a_login_everybody_may_change_everything() -> None:
    assert shown(EDITING, roles={"editors": []})[0] == ["edits"]


def test_addresses_of_images_end_where_there_is_a_login_and_only_there(small_run: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    client = TestClient(Starlette(routes=server.ROUTES))
    for_ever = server.outlier_url(small_run, 0)
    monkeypatch.setattr("streamlit.user", {"is_logged_in": True, "email": "ada@example.org"})
    address, now = server.outlier_url(small_run, 0), server.today()
    assert client.get(address).status_code == client.get(for_ever).status_code == 200
    longer = re.sub(r"u=\d+", f"u={now + 1000}", address)
    assert client.get(longer).status_code == client.get(re.sub(r"u=\d+", "u=0", address)).status_code == 403
    monkeypatch.setattr(server, "today", lambda: now + 2)
    assert (client.get(address).status_code, client.get(for_ever).status_code) == (403, 200)
