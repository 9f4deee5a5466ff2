"""Fields for settings, made from the config's own types, limits and descriptions."""

from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

import streamlit as st
import yaml
from pydantic.fields import FieldInfo

from badood.config import Config, Settings, parsed_yaml

_ELSEWHERE = {"preset", "synthesise.count", "synthesise.scales", "detector.epochs"}
"""Settings that the form shows by themselves."""

_LONG = 60
"""Characters from which on a text gets several lines."""


def advanced_settings(cfg: Config) -> list[str]:
    """Draw a field for every other setting, a tab for each section in the path's order; overrides for those that were changed."""
    fields, general = type(cfg).model_fields, "general"
    sections = [name for name in fields if isinstance(getattr(cfg, name), Settings)]
    labels = ["General", *(type(getattr(cfg, name)).__name__ for name in sections)]
    tabs = dict(zip([general, *sections], st.tabs(labels), strict=True))
    with tabs[general]:
        overrides = _fields(cfg.preset, cfg, {name: field for name, field in fields.items() if name not in sections})
    for name in sections:
        section: Settings = getattr(cfg, name)
        with tabs[name]:
            st.caption(section.__doc__ or "")
            overrides += _fields(cfg.preset, section, type(section).model_fields, f"{name}.")
    return overrides


def _fields(preset: str, settings: Settings, fields: Mapping[str, FieldInfo], above: str = "") -> list[str]:
    """Fields side by side; overrides for those that were changed. `above` comes before their names."""
    places, overrides = st.columns(3), []
    for place, name in enumerate(name for name in fields if f"{above}{name}" not in _ELSEWHERE):
        before = _plain(getattr(settings, name))
        with places[place % 3]:
            after = _field(f"{preset} {above}{name}", name, fields[name], before)
        if after != before:
            overrides.append(f"{above}{name}={_yaml(after)}")
    return overrides


def _plain(value: Any) -> Any:
    """Settings as what YAML has for them."""
    if isinstance(value, Settings):
        return value.model_dump(mode="json")
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _yaml(value: Any) -> str:
    """In one line."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=float("inf")).strip().removesuffix("...").strip()


def _field(key: str, name: str, field: FieldInfo, value: Any) -> Any:
    """One field; what does not fit a widget of its own is written as YAML."""
    label, text = name.replace("_", " "), field.description
    if get_origin(field.annotation) is Literal:
        choices = list(get_args(field.annotation))
        return st.selectbox(label, choices, choices.index(value), key=key, help=text)
    if isinstance(value, bool):
        return st.checkbox(label, value, key=key, help=text)
    if isinstance(value, int):
        least, most = (None if limit is None else int(limit) for limit in _limits(field))
        return st.number_input(label, least, most, value, step=1, key=key, help=text)
    if isinstance(value, float):
        lowest, highest = (None if limit is None else float(limit) for limit in _limits(field))
        return st.number_input(label, lowest, highest, value, format="%g", key=key, help=text)
    written = "" if value is None else value if isinstance(value, str) else _yaml(value)
    box = st.text_area if len(written) > _LONG else st.text_input
    changed = box(label, written, key=key, help=text, placeholder="none" if value is None else "")
    if changed == written:
        return value
    try:
        return parsed_yaml(changed)
    except yaml.YAMLError:
        return changed  # the config says what it takes instead


def _limits(field: FieldInfo) -> tuple[float | None, float | None]:
    """Least and largest value. One that must be exceeded counts too: the config refuses it when the run is started."""
    inner = [rule for part in get_args(field.annotation) for given in getattr(part, "__metadata__", ()) for rule in given.metadata]
    rules = [*field.metadata, *inner]

    def limit(*names: str) -> float | None:
        return next((getattr(rule, name) for rule in rules for name in names if getattr(rule, name, None) is not None), None)

    return limit("ge", "gt"), limit("le", "lt")
