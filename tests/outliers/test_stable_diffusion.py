"""Dream-OOD in pixels: where its tokens lie, what the text encoder makes of them, and what is told where something is missing."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional as F

from badood.config import load_config
from badood.core.errors import BadInput
from badood.outliers import outlier_source
from badood.outliers.stable_diffusion import PROMPT, StableDiffusion, aligned, class_tokens, encoded
from badood.pipeline.path import synthesise
from badood.pipeline.preflight import preflight
from tests.outliers.test_generated import SMALL
from tests.outliers.tiny_pipeline import tiny_pipeline

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def pipe(folder: Path) -> "StableDiffusionPipeline":
    from diffusers import StableDiffusionPipeline

    made = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, requires_safety_checker=False, low_cpu_mem_usage=False)
    made.text_encoder.eval()
    return made


def source(folder: Path, **params: object) -> StableDiffusion:
    made: StableDiffusion = outlier_source.make("stable_diffusion", {"model": str(folder), "limit": 5, "steps": 2, **params})
    return made


def test_a_class_drawn_by_its_own_token_is_drawn_by_its_name(pipe: "StableDiffusionPipeline") -> None:
    names = ["b", "k"]
    with torch.no_grad():
        ours, empty = encoded(pipe, class_tokens(pipe, names)), encoded(pipe, None)
        theirs, none = pipe.encode_prompt([f"{PROMPT} {name}" for name in names], "cpu", 1, True, negative_prompt=["", ""])
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(empty, none[:1])


def test_a_name_of_several_tokens_is_their_mean(pipe: "StableDiffusionPipeline") -> None:
    a, b, both = class_tokens(pipe, ["a", "b", "a_b"])
    torch.testing.assert_close(both, (a + b) / 2)


def test_id_images_come_to_the_token_of_their_class() -> None:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(90) % 3
    z0 = F.one_hot(labels, 3).float() @ torch.randn(3, 16, generator=draw) + 0.1 * torch.randn(90, 16, generator=draw)
    tokens = torch.randn(3, 32, generator=draw)
    found = aligned(z0, tokens[labels])
    assert (torch.cdist(found, tokens).argmin(1) == labels).all()
    assert (found - tokens[labels]).norm(dim=1).mean() < 0.2 * tokens.norm(dim=1).mean()


def test_its_key_is_of_the_contents_of_the_folder(folder: Path, tmp_path: Path) -> None:
    same, other = (tiny_pipeline(tmp_path / str(seed), seed) for seed in (0, 1))
    assert source(same).key == source(folder).key
    assert source(other).key != source(folder).key
    assert source(folder, scale=0.1).key != source(folder).key


@pytest.mark.parametrize(
    ("package", "said"), [("transformers", "needs transformers, which is not"), ("diffusers", "needs diffusers, which is not")]
)
def test_a_missing_package_is_told_with_the_command_that_installs_it(package: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    if package == "diffusers":
        pytest.importorskip("transformers")
    with pytest.raises(BadInput, match=rf"{said}.*pip install 'badood\[stable-diffusion\]'"):
        source(Path("/nowhere")).check()


def test_it_runs_beside_another_source(folder: Path) -> None:
    ours = f"{{name: photos, source: stable_diffusion, count: 5, params: {{model: {folder}, steps: 2, neighbours: 2, tried: 4}}}}"
    gan = "{name: gan, source: gan, count: 6, params: {epochs: 1, channels: 8, image_size: 8}}"
    cfg = load_config("miniworld", [*SMALL, f"outliers=[{ours}, {gan}]"])
    preflight(cfg)
    _, outliers = synthesise(cfg, "photos")
    assert [(name, part.count) for name, part in outliers.parts] == [("photos", 5), ("gan", 6)]
