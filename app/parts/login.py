"""A login, where one is set up (docs/dashboard.md); without it whoever reaches the port is let in, and the port is on this machine only."""

import streamlit as st

from app.changing import may_edit


def require_login() -> None:
    """The page ends here for somebody who must log in first; a button to leave for somebody who did."""
    # the field is there only where an OIDC provider is configured
    logged_in = st.user.get("is_logged_in")
    if logged_in:
        name = st.user.get("email") or st.user.get("name") or "unknown"
        st.sidebar.caption(f"Logged in as {name}{'' if may_edit() else ', to look only'}")
        st.sidebar.button("Log out", icon=":material/logout:", on_click=st.logout, width="stretch")
    elif logged_in is False:
        st.title("Bad-OOD Explorer")
        st.write("This dashboard asks who you are. Verdicts are written down under your address.")
        st.button("Log in", type="primary", icon=":material/login:", on_click=st.login)
        st.stop()
