"""A redraw of one fragment after a while. Streamlit's own timer, `run_every`, cannot be ended from inside its fragment: the whole
page would have to be drawn anew, and a plot torn out of the hands of somebody who drags on it.
"""

import time

import streamlit as st

_JS = """
export default function ({ data, setTriggerValue }) {
  const timer = setTimeout(() => setTriggerValue("due", data.turn), data.after);
  return () => clearTimeout(timer);
}
"""


def again(after: float, *, key: str) -> None:
    """Draw the fragment that this is called in once more.

    Args:
        after: seconds. key: of this component.
    """
    component = st.components.v2.component("again", html="<span></span>", js=_JS)
    component(data={"after": 1000 * after, "turn": time.monotonic()}, key=key, height="content", on_due_change=lambda: None)
