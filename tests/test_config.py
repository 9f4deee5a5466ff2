from pathlib import Path

import pytest

from badood.config import Config, load_config, preset_names
from badood.core.errors import BadConfig


@pytest.mark.parametrize("name", preset_names())
def test_presets_load(name: str) -> None:
    assert load_config(name).preset == name


def test_overrides_reach_any_field_and_lists() -> None:
    cfg = load_config("miniworld", ["detector.epochs=5", "data.ood.0.name=closest", "filter.lo=0.25", "synthesise.params={start: 200}"])
    assert (cfg.detector.epochs, cfg.data.ood[0].name, cfg.filter.lo, cfg.synthesise.params) == (5, "closest", 0.25, {"start": 200})


def test_data_folder_replaces_the_id_paths() -> None:
    cfg = load_config("cifar10", data=Path("/photos"))
    assert (cfg.data.train.path, cfg.data.test.path) == ("/photos", "/photos")


def test_own_images_replace_the_whole_source() -> None:
    cfg = load_config("miniworld", data=Path("/photos"), dataset="folder")
    assert [(part.dataset, part.path, part.split, part.params) for part in (cfg.data.train, cfg.data.test)] == [
        ("folder", "/photos", "train", {}),
        ("folder", "/photos", "test", {}),
    ]
    with pytest.raises(BadConfig, match="--data"):
        load_config("miniworld", dataset="folder")


def test_a_presets_classifier_names_its_own_classes_and_no_others() -> None:
    own = load_config("cifar10", data=Path("/photos"))
    assert (own.detector.mode, own.detector.weights) == ("tuned", "assets/weights/cifar/detector.safetensors")
    assert own.detector == load_config("cifar10", data=Path("/photos"), dataset="cifar10").detector
    others = load_config("cifar10", data=Path("/photos"), dataset="folder")
    assert (others.detector.mode, others.detector.weights) == ("scratch", None)
    theirs = load_config("cifar10", ["detector.mode=tuned", "detector.weights=mine.pt"], Path("/photos"), "folder")
    assert (theirs.detector.mode, theirs.detector.weights) == ("tuned", "mine.pt")


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("detector.epoch=5", ["detector.epoch", "5", "unknown field", "epochs"]),
        ("detector.epochs=-1", ["detector.epochs", "-1", "greater than 0"]),
        ("filter.lo=1.5", ["filter.lo", "1.5", "less than or equal to 1"]),
        ("detector.phi=linear", ["detector.phi", "linear", "monotone"]),
        ("nonsense=1", ["nonsense", "unknown field", "detector"]),
        ("detector.epochs", ["detector.epochs", "'='"]),
        ("seed.deep=1", ["seed", "valid integer"]),
        ("evaluate.filters=[all", ["evaluate.filters=[all", "not YAML", "quotes"]),
    ],
)
def test_a_bad_override_names_field_value_and_what_is_allowed(override: str, parts: list[str]) -> None:
    with pytest.raises(BadConfig) as caught:
        load_config("miniworld", [override])
    assert all(part in str(caught.value) for part in parts), caught.value


def test_unknown_preset_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="miniworld"):
        load_config("imagenet")
    broken = tmp_path / "mine.yaml"
    broken.write_text("a: [")
    with pytest.raises(BadConfig, match=r"mine\.yaml is not valid YAML"):
        load_config(str(broken))


def test_a_preset_stands_on_its_base(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("base: miniworld\npreset: mine\ndetector: {epochs: 1}\nclip: {vocabulary: [sock]}")
    got, base = load_config(str(mine)), load_config("miniworld")
    assert got.detector == base.detector.model_copy(update={"epochs": 1.0})
    assert got.clip.vocabulary == ["sock"]
    assert got.clip.epochs == base.clip.epochs
    assert (got.preset, got.data) == ("mine", base.data)


@pytest.mark.parametrize(
    ("text", "said"),
    [("base: {own}", "built on this preset itself"), ("base: nothing", "no preset 'nothing'"), ("- 1", "expected sections")],
)
def test_a_bad_base_is_named(tmp_path: Path, text: str, said: str) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace("{own}", str(mine)))
    with pytest.raises(BadConfig, match=said):
        load_config(str(mine))


def test_a_config_survives_json() -> None:
    cfg = load_config("miniworld")
    assert Config.model_validate(cfg.model_dump(mode="json")) == cfg


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)),
        "a: &a [*a]",
        5000 * "[",
        "seed: 0x" + 4000 * "f",
        "a: 2001-13-41",
    ],
)
def test_yaml_that_is_made_to_fill_the_memory_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.yaml").write_text(text)
    with pytest.raises(BadConfig, match="is not valid YAML") as told:
        load_config(str(tmp_path / "bomb.yaml"))
    assert len(str(told.value)) < 1000
