"""The login: absent unless a provider is configured, and then in front of everything."""

from streamlit.testing.v1 import AppTest

PAGE = """
import streamlit as st
from app.parts.login import require_login
require_login()
st.write("inside")
"""


def test_without_a_provider_everybody_is_let_in() -> None:
    test = AppTest.from_string(PAGE).run()
    assert test.markdown[0].value == "inside"
    assert not test.button


def test_with_a_provider_a_stranger_is_asked_to_log_in() -> None:
    test = AppTest.from_string(PAGE)
    test.secrets["auth"] = {"redirect_uri": "http://localhost/oauth2callback", "cookie_secret": "x", "client_id": "y"}
    test.run()
    assert [button.label for button in test.button] == ["Log in"]
    assert "inside" not in [text.value for text in test.markdown]
