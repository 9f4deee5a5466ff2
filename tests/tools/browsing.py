"""A dashboard with a headless Chromium in front of it: for screenshots, measurements and tests."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, sync_playwright

CHECKOUT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
"""Of a headless Chromium that asks nobody outside."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def served(store: Path, port: int | None = None) -> Iterator[tuple[str, psutil.Process]]:
    """A dashboard on a store: its address and process. Without `port` any free one."""
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)]
    with (store / "server.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=CHECKOUT, env=os.environ | {"BADOOD_HOME": str(store)}, stdout=log, stderr=log)
    try:
        await_answer(f"http://127.0.0.1:{port}/api/health", process, store / "server.log")
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def await_answer(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the server that a process is answers.

    Args:
        log: where it writes what it says.

    Raises:
        RuntimeError: it ended.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None:
        try:
            direct.open(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the server ended with code {process.returncode}; its last words are in {log}.")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
