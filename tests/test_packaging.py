"""What `pip install .` brings: the library, its small weights and the dashboard, at work where there is no checkout."""

import os
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import copytree, ignore_patterns

import psutil
import pytest
from packaging.requirements import Requirement

from badood.core import places
from badood.core.errors import BadInput

CHECKOUT = Path(__file__).parents[1]
SHIPPED = "badood/_shipped"
MODELS = ("encoder", "rdm", "tokenizer", "mage", "clip")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves a folder `build` behind, and packs what an earlier one holds."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in ("badood", "app", "assets/weights", "assets/example"):
        copytree(CHECKOUT / folder, source / folder, ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "requirements.txt", "README.md", "LICENSE"):
        (source / name).write_bytes((CHECKOUT / name).read_bytes())
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", made, source)
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it; what it needs is taken from ours, whose own badood is not seen."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder)
    inside = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    # a plain line: a .pth file of our own packages, such as an editable badood's, is not read there
    (Path(inside) / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    _pip("--python", folder, "install", "--no-deps", "--no-index", wheel)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A working folder outside the checkout, with an `app` of somebody else in it."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise ImportError('the app of somebody else')")
    return tmp_path


def _pip(*arguments: object) -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "--quiet", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _environ(home: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"BADOOD_HOME": str(home)}


def _python(environment: Path, folder: Path, code: str) -> str:
    command = [environment / "bin" / "python", "-c", code]
    done = subprocess.run(command, cwd=folder, env=_environ(folder / "store"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_wheel_holds_library_weights_and_dashboard_and_no_top_level_app(contents: set[str]) -> None:
    assert {name.partition("/")[0] for name in contents if ".dist-info/" not in name} == {"badood"}
    for folder, place in (("badood", "badood"), ("app", f"{SHIPPED}/app")):
        modules = {path.relative_to(CHECKOUT / folder).as_posix() for path in (CHECKOUT / folder).rglob("*.py")}
        assert {f"{place}/{name}" for name in modules} <= contents, f"a folder in {folder} lacks its __init__.py"
    weights = {f"{SHIPPED}/assets/weights/{preset}/{model}.{kind}" for preset in ("miniworld", "cifar") for model in MODELS
               for kind in ("safetensors", "json")}  # fmt: skip
    presets = {f"badood/presets/{path.name}" for path in (CHECKOUT / "badood" / "presets").iterdir()}
    components = {f"badood/explore/gallery/gallery.{kind}" for kind in ("html", "css", "js")} | {
        f"{SHIPPED}/app/components/gallery/page.js"
    }
    components |= {f"badood/explore/widget.{kind}" for kind in ("css", "js")}
    others = {"badood/py.typed", f"{SHIPPED}/app/.streamlit/config.toml", f"{SHIPPED}/app/brand/mark.svg"}
    others |= {"badood/explore/report.html.jinja", f"{SHIPPED}/assets/example/run.tar.xz"}
    assert weights | presets | components | others <= contents
    assert not [name for name in contents if "playwright" in name or "secrets" in name or name.endswith(".png")]


@pytest.mark.slow
def test_the_wheel_names_what_it_needs_without_pinning_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(name).decode().splitlines()
    needs = [Requirement(line.removeprefix("Requires-Dist: ")) for line in lines if line.startswith("Requires-Dist: ")]
    assert {"torch", "torchvision", "scipy", "starlette", "streamlit"} <= {need.name for need in needs if need.marker is None}
    assert not [need for need in needs if "==" in str(need.specifier)]
    assert "psycopg" in {need.name for need in needs if need.marker is not None and need.marker.evaluate({"extra": "team"})}


@pytest.mark.slow
def test_installed_it_finds_presets_and_weights_from_any_folder(environment: Path, elsewhere: Path) -> None:
    code = """
import badood, badood.core.places as places
from badood.config import weights_path
for preset in ("miniworld", "cifar10"):
    cfg = badood.load_config(preset)
    for model in ("encoder", "rdm", "tokenizer", "mage", "clip"):
        assert weights_path(cfg, model).is_file(), weights_path(cfg, model)
own = badood.load_config("miniworld", ["weights=mine"])
print(badood.__file__, places.checkout(), weights_path(own, "rdm"))
"""
    package, checkout, own = _python(environment, elsewhere, code).split()
    assert package.startswith(str(environment))
    assert (checkout, own) == ("None", str(elsewhere / "mine" / "rdm.safetensors"))


@pytest.mark.slow
def test_installed_it_is_a_command_and_brings_no_package_called_app(environment: Path, elsewhere: Path) -> None:
    listed = subprocess.run(
        [environment / "bin" / "badood", "runs", "list"],
        cwd=elsewhere,
        env=_environ(elsewhere / "store"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "created" in listed.stdout
    (elsewhere / "empty").mkdir()
    found = _python(environment, elsewhere / "empty", "import importlib.util as look; print(look.find_spec('app'))")
    assert found == "None"


@pytest.mark.slow
def test_installed_it_has_no_folder_for_results_and_says_so(environment: Path, elsewhere: Path) -> None:
    code = """
from badood.benchmark.speed import write
from badood.core.errors import BadInput
try:
    write({})
except BadInput as error:
    print(error)
"""
    assert "clone the repository" in _python(environment, elsewhere, code)


@pytest.fixture
def dashboard(environment: Path, elsewhere: Path) -> Iterator[str]:
    """The address of a dashboard that the installed command serves. What it started, such as its worker, ends with it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = elsewhere / "server.log"
    with log.open("wb") as said:
        command = [environment / "bin" / "badood", "app", "--no-browser", "--port", str(port)]
        process = subprocess.Popen(command, cwd=elsewhere, env=_environ(elsewhere / "store"), stdout=said, stderr=said)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        process.wait(20)
        for child in started:
            with suppress(psutil.NoSuchProcess):
                child.terminate()
        psutil.wait_procs(started, timeout=20)


def _answer(url: str, patience: float = 120.0) -> tuple[int, bytes]:
    """Status and text of an address, once somebody listens there."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + patience
    while True:
        try:
            with direct.open(url, timeout=30) as reply:
                return reply.status, reply.read()
        except ConnectionError as error:
            refused: Exception = error
        except urllib.error.URLError as error:
            refused = error
        assert time.monotonic() < end, refused


@pytest.mark.slow
def test_installed_it_serves_the_dashboard(dashboard: str, elsewhere: Path) -> None:
    status, text = _answer(f"{dashboard}/api/health")
    assert (status, b'"status":"ok"' in text.replace(b" ", b"")) == (200, True), (elsewhere / "server.log").read_text()
    assert _answer(dashboard)[0] == 200


def test_a_checkout_is_known_and_keeps_results_at_its_top() -> None:
    assert places.checkout() == CHECKOUT
    assert places.results() == CHECKOUT / "results"
    assert places.dashboard() == CHECKOUT / "app" / "main.py"
    assert places.placed(Path("weights/mine")) == CHECKOUT / "weights" / "mine"


def test_outside_a_checkout_results_have_no_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(places, "TOP", tmp_path)
    with pytest.raises(BadInput, match="clone the repository"):
        places.results()
    monkeypatch.chdir(tmp_path)
    assert places.placed(Path("weights/mine")) == tmp_path / "weights" / "mine"


def test_peak_memory_is_known_without_the_module_that_windows_lacks() -> None:
    # psutil, which has no need of it there, needs it here
    code = "import sys, psutil; sys.modules['resource'] = None; import badood.core.compute as compute; print(compute.peak_rss_mb() > 1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert done.stdout.strip() == "True", done.stderr
