"""The dashboard as an ASGI application: pages by Streamlit, images by URL. `streamlit run app/main.py` serves it."""

import sys
from pathlib import Path

# `streamlit run` puts this folder first on the import path. The one above it must come before all, wherever that lies: what `python -m`
# puts first is the folder where the command was given, which may hold an `app` of somebody else
sys.path.insert(0, str(Path(__file__).parents[1]))

import streamlit as st

from app.server import ROUTES, lifespan

app = st.App(Path(__file__).parent / "menu.py", routes=ROUTES, lifespan=lifespan)
