"""Fields for settings, made from the config's own types, limits and descriptions."""

from typing import Any, Literal, get_args, get_origin

import streamlit as st
import yaml
from pydantic.fields import FieldInfo

from badood.config import Config, Settings

SECTIONS = {
    "synthesise": "Synthesise",
    "decode": "Decode",
    "detector": "Detector",
    "calibrate": "Calibrate",
    "filter": "Filter",
    "evaluate": "Evaluate",
}
_ELSEWHERE = {"synthesise.count", "synthesise.scales", "detector.epochs"}
"""Settings that the form shows by themselves."""


def advanced_settings(cfg: Config) -> list[str]:
    """Draw a field for every setting of the method; overrides for those that were changed."""
    overrides = []
    for tab, section in zip(st.tabs(list(SECTIONS.values())), SECTIONS, strict=True):
        with tab:
            overrides += _section(cfg, section)
    return overrides


def _section(cfg: Config, section: str) -> list[str]:
    settings: Settings = getattr(cfg, section)
    names = [name for name in type(settings).model_fields if f"{section}.{name}" not in _ELSEWHERE]
    places = st.columns(3)
    overrides = []
    for place, name in enumerate(names):
        before = getattr(settings, name)
        with places[place % 3]:
            after = _field(f"{cfg.preset} {section}.{name}", name, type(settings).model_fields[name], before)
        if after != before:
            overrides.append(f"{section}.{name}={yaml.safe_dump(after, default_flow_style=True).strip().removesuffix('...').strip()}")
    return overrides


def _field(key: str, name: str, field: FieldInfo, value: Any) -> Any:
    """One field; what does not fit a widget of its own is written as YAML."""
    label, text = name.replace("_", " "), field.description
    if get_origin(field.annotation) is Literal:
        choices = list(get_args(field.annotation))
        return st.selectbox(label, choices, choices.index(value), key=key, help=text)
    if isinstance(value, bool):
        return st.checkbox(label, value, key=key, help=text)
    if isinstance(value, int):
        return st.number_input(label, value=value, step=1, key=key, help=text)
    if isinstance(value, float):
        return st.number_input(label, value=value, format="%g", key=key, help=text)
    written = "" if value is None else value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).strip()
    changed = st.text_input(label, written, key=key, help=text, placeholder="none" if value is None else "")
    if changed == written:
        return value
    try:
        return yaml.safe_load(changed)
    except yaml.YAMLError:
        return changed  # the config says what it takes instead
