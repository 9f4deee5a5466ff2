"""Two processes do one run together; what they make is what one makes alone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from badood.core.artefacts import home
from badood.core.ranks import Ranks
from badood.explore.finished import Finished, finished
from tests.conftest import CHECKOUT, SMALL_SETTINGS
from tests.contracts.toy import toy

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

FIT = """
import atexit
import sys
from pathlib import Path


@atexit.register  # first registered, last called
def tell_threads() -> None:
    for name in Path("/proc/self/task").glob("*/comm"):
        print(name.read_text().strip())


import torch
from badood.config import Training
from badood.core.compute import choose
from badood.core.training import fit

compute = choose("cpu", "fp32")
torch.manual_seed(0)
x = torch.randn(64, 5)
y = x @ torch.arange(5.0) + 0.1 * torch.randn(64)
model = torch.nn.Linear(5, 1)
cfg = Training(epochs=5, batch_size=16, lr=0.05, ema=0.9)
state = fit(model, lambda rows, _: (model(x[rows])[:, 0] - y[rows]).square().mean(), 64, cfg, compute=compute)
keys = compute.ranks.gathered(torch.full((2,), float(compute.ranks.rank)))
doubled = compute.map(lambda rows: 2 * rows, torch.arange(7), 2)
if compute.ranks.first:
    torch.save({"state": state, "keys": keys, "doubled": doubled}, sys.argv[1])
"""


@given(st.integers(0, 1000), st.integers(1, 9))
def test_shares_are_even_and_join_to_the_whole(n: int, count: int) -> None:
    parts = [list(range(n))[Ranks(rank, count).share(n)] for rank in range(count)]
    assert [row for part in parts for row in part] == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.slow
def test_training_and_inference_are_those_of_one_process(tmp_path: Path) -> None:
    import torch

    (tmp_path / "fit.py").write_text(FIT)
    results = []
    for command in ([sys.executable], TORCHRUN):
        out = tmp_path / f"{len(results)}.pt"
        done = subprocess.run([*command, "fit.py", str(out)], cwd=tmp_path, env=_env(), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert "python" in done.stdout
        assert "gloo" not in done.stdout, "a thread of the group that outlives the interpreter aborts the process"
        results.append(torch.load(out))
    alone, together = results
    for name, tensor in alone["state"].items():
        torch.testing.assert_close(together["state"][name], tensor, rtol=1e-5, atol=1e-6)
    assert together["keys"].tolist() == [0, 0, 1, 1]
    assert together["doubled"].tolist() == alone["doubled"].tolist() == [0, 2, 4, 6, 8, 10, 12]


@pytest.mark.slow
def test_a_run_shared_by_two_processes_makes_the_same_outliers(small_run: Finished) -> None:
    settings = [part for entry in SMALL_SETTINGS for part in ("--set", entry)]
    command = [*TORCHRUN, "-m", "badood", "run", "--name", "shared", *settings]
    done = subprocess.run(command, cwd=CHECKOUT, env=_env(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("run shared in") == 1, "one process speaks"
    shared = finished(home() / "shared")
    assert shared.run.record["state"] == "done"
    assert set(shared.run.record["metrics"]) == {"all", "q-mid", "mid"}
    ours, theirs = shared.outliers.table(), small_run.outliers.table()
    same = ["outlier_id", "anchor_id", "anchor_class", "guidance_scale"]
    pd.testing.assert_frame_equal(ours[same], theirs[same])
    # the sizes of batches differ, and with them the rounding of 16-bit products
    gap = np.asarray(shared.embeddings) - np.asarray(small_run.embeddings)
    assert np.abs(gap).mean() < 0.02 * np.asarray(small_run.embeddings).std()


FOUND = """
import sys
from pathlib import Path
from badood.config import Compute
from badood.core.ranks import ranks
from badood.pipeline.engines.local import made
from badood.pipeline.stage import Context, call
from tests.contracts.toy import toy

group = ranks()
if not group.first:
    Path.exists = lambda self, **_: False  # it looked a moment before another run made the result
made(Path(sys.argv[1]), call(toy, 1, 0, False), Context(Compute(device="cpu")))
group.wait()
print("done")
"""


@pytest.mark.slow
def test_no_process_waits_for_one_that_found_the_result_made(tmp_path: Path) -> None:
    (tmp_path / "found.py").write_text(FOUND)
    (tmp_path / toy.name / toy.key([1, 0, False])).mkdir(parents=True)
    done = subprocess.run([*TORCHRUN, "found.py", str(tmp_path)], cwd=tmp_path, env=_env(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done") == 2


def _env() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}
