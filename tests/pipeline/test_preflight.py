"""What can be known to fail is told before the first stage, and nothing is begun."""

import logging
from pathlib import Path

import pytest

from badood.config import load_config
from badood.core.artefacts import home
from badood.core.errors import BadConfig, BadInput, BadWeights
from badood.data.splits import present
from badood.pipeline.path import run
from badood.pipeline.preflight import base_of, needed, preflight


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("evaluate.filters=[all, hihg]", "hihg.*q-mid"),
        ("filter.strategy=hihg", "hihg.*q-mid"),
        ("filter.lo=0.9", "lies above"),
        ("filter.sources=[nobody]", "nobody.*minority"),
        ("synthesise.method=vso", "did you mean vos"),
        ("synthesise.params={strat: 200}", "strat.*did you mean start"),
        ("synthesise.params={start: 0}", "start = 0"),
        ("outliers=[{name: a, source: embeded}]", "did you mean embedded"),
        ("outliers=[{name: a, source: imported, params: {path: /, limt: 3}}]", "limt.*limit"),
        ("outliers=[{name: a, params: {metod: vos}}]", "metod"),
        ("outliers=[{name: a}, {name: a}]", "'a' is given twice"),
        ("data.ood.0.name=far", "'far' is given twice"),
        ("data.ood.0.name=id", "'id' is given twice"),
        ("calibrate.method=nothing", "beta"),
        ("evaluate.scorers=[msp, enregy]", "did you mean energy"),
        ("evaluate.scorers=[{name: knn, kk: 3}]", "kk.*k"),
        ("evaluate.scorers=[{name: knn, k: 0}]", "k = 0"),
        ("detector.backbone=resnet", "timm"),
        ("data.ood.0.params.conut=3", "conut.*count"),
        ("data.ood.0.dataset=miniwrld", "did you mean miniworld"),
        ("data.grid.params.per_cel=3", "per_cel.*per_cell"),
        ("clip.templates=[a photo]", r"\{\}"),
    ],
)
def test_a_name_that_nothing_has_is_told_before_the_first_stage(setting: str, said: str) -> None:
    with pytest.raises(BadConfig, match=said):
        run(load_config("miniworld", [setting]), "misspelt")
    assert not (home() / "misspelt").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["data.ood.0={name: sun, dataset: folder, path: /nowhere, split: test}"], "/nowhere does not exist"),
        (["data.auxiliary.0={name: sun, dataset: folder, path: /nowhere, split: test}"], "/nowhere does not exist"),
        (["data.test={dataset: folder, path: /nowhere}"], "/nowhere does not exist"),
        (["data.train={dataset: folder, path: /nowhere}"], "/nowhere does not exist"),
        (["data.grid={name: grid, dataset: synis, path: /nowhere}"], "/nowhere does not exist"),
        (["data.ood=[{name: sun, dataset: folder, path: /nowhere, optional: true}]"], "data.ood has no set.*sun"),
        (["data.ood=[{name: ninco, dataset: ninco, path: /nowhere}]"], r"NINCO/NINCO_OOD_classes.*5,879 images.*zenodo"),
        (["data.ood=[{name: ninco, dataset: ninco, path: /nowhere, optional: true}]"], r"data\.ood has no set.*ninco"),
        (["data.auxiliary=[]"], "data.auxiliary has no set"),
        (["outliers=[{name: a, source: imported, params: {path: /nowhere}}]"], "nowhere"),
        (["encoder.weights=/nowhere/encoder.safetensors"], r"encoder: /nowhere/encoder.safetensors \(encoder.weights\).*--only-imported"),
        (["clip.weights=/nowhere/clip.safetensors"], r"clip: /nowhere/clip.safetensors \(clip.weights\)"),
        (["detector.mode=as-is", "detector.weights=/nowhere/d.pt"], "nowhere"),
        (["clip.model=ViT-B-99"], "ViT-B-99"),
    ],
)
def test_what_is_not_there_is_told_before_the_first_stage(settings: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        run(load_config("miniworld", settings), "absent")
    assert not (home() / "absent").exists()


def test_weights_of_a_generator_are_needed_by_its_own_sources_alone(tmp_path: Path) -> None:
    settings = ["outliers=[{name: a, source: imported, params: {path: /}}]"]
    assert needed(load_config("miniworld", settings)) == ("clip",)
    assert needed(load_config("miniworld")) == ("encoder", "rdm", "tokenizer", "mage", "clip")


def test_a_missing_weights_file_is_a_bad_weights() -> None:
    with pytest.raises(BadWeights):
        preflight(load_config("miniworld", ["mage.weights=/nowhere/mage.safetensors"]))


def test_an_optional_set_that_is_not_there_is_left_out_with_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    cfg = load_config("miniworld", ["data.ood.0={name: sun, dataset: folder, path: /nowhere, split: test, optional: true}"])
    with caplog.at_level(logging.WARNING):
        preflight(cfg)
        assert [source.name for source in present(cfg.data.ood, base_of(cfg))] == ["far", "textures"]
    assert "sun is left out: /nowhere does not exist" in caplog.text
