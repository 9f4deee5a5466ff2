"""Shared fixtures. Development data and reference tensors are optional: tests that need them skip without."""

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of development data (`BADOOD_TEST_DATA`, default ../shared); skips where there is none."""
    folder = Path(os.environ.get("BADOOD_TEST_DATA", CHECKOUT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"development data not found at {folder}; set BADOOD_TEST_DATA to run this test")
    return folder


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests out of the user's store."""
    monkeypatch.setenv("BADOOD_HOME", str(tmp_path_factory.mktemp("home")))
