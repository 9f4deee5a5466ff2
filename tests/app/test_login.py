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


def shown() -> tuple[list[str], list[str]]:
    """Texts and buttons of a page behind the login."""
    test = AppTest.from_string(PAGE).run()
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
