"""An engine by its name, also where Ray is not installed."""

import sys

import pytest

from badood.core.errors import BadConfig
from badood.pipeline.engines import Local, Processes, engine


def test_the_engines_of_this_machine_need_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with engine() as default, engine("local") as local:
        assert (default, local) == (Processes, Local)


def test_a_missing_ray_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "badood.pipeline.engines.ray", raising=False)
    with pytest.raises(BadConfig, match=r"not installed: pip install 'badood\[ray\]'"), engine("ray"):
        pass


def test_an_address_for_another_engine_is_told() -> None:
    with (
        pytest.raises(BadConfig, match="--address auto names a Ray cluster, and the engine is local; add --engine ray"),
        engine("local", "auto"),
    ):
        pass
