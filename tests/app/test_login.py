"""The login: absent unless a provider is configured, and then in front of everything."""

import pytest
from streamlit.testing.v1 import AppTest

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
