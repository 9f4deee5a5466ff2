"""A redraw of one fragment after a while. Streamlit's own timer, `run_every`, cannot be ended from inside its fragment: the whole
page would have to be drawn anew, and a plot torn out of the hands of somebody who drags on it.
"""

import time

import streamlit as st

_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  clearInterval(parentElement.again);
  // again and again, for what is asked while the page is drawn may be lost
  const timer = setInterval(() => setTriggerValue("due", Date.now()), data.after);
  parentElement.again = timer;
  return () => clearInterval(timer);
}
"""


def again(after: float, *, key: str) -> None:
    """Draw the fragment that this is called in once more; without another call in it, once and for all.

    Args:
        after: seconds. key: of this component.
    """
    component = st.components.v2.component("again", html="<span></span>", js=_JS)
    component(data={"after": 1000 * after, "turn": time.monotonic()}, key=key, height="content", on_due_change=lambda: None)
