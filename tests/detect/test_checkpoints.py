"""Files that other tools write: unwrapped, recognised, and computing what their own network computes."""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from badood import config
from badood.core.errors import BadConfig, BadWeights
from badood.detect.backbone import MEAN, STD, Detector, load_detector, save_detector
from badood.detect.backbones.base import backbone, make_backbone
from badood.detect.checkpoints import read_checkpoint
from badood.detect.given import read_given, settled
from badood.detect.train import untrained
from tests.detect.foreign import ResNet18For32, ResNet20, seasoned, wide


def as_is(weights: Path | str, **known: object) -> config.Detector:
    cfg = {"mode": "as-is", "weights": str(weights), "backbone": "auto", "image_size": 32, "epochs": 1, "batch_size": 8, "lr": 0.1}
    return config.Detector.model_validate(cfg | known)


def images(size: int, n: int = 3) -> Tensor:
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def own_logits(network: nn.Module, pixels: Tensor, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD) -> Tensor:
    """What the network says of images that its owner normalises."""
    ready = torchvision.transforms.functional.normalize(pixels / 255, mean, std)
    with torch.no_grad():
        return network(ready)


def save_state(network: nn.Module, path: Path) -> None:
    torch.save(network.state_dict(), path)


def save_parallel(network: nn.Module, path: Path) -> None:
    torch.save({"state_dict": nn.DataParallel(network).state_dict(), "best_prec1": 91.7}, path)


def save_compiled(network: nn.Module, path: Path) -> None:
    torch.save({"model": torch.compile(network).state_dict(), "epoch": 3}, path)


def save_compiled_in_parallel(network: nn.Module, path: Path) -> None:
    torch.save({"net": nn.DataParallel(torch.compile(network)).state_dict(), "acc": np.float64(91.7)}, path)  # type: ignore[arg-type]


def save_script(network: nn.Module, path: Path) -> None:
    """As Lightning and timm's train.py do: settings and counters beside, a prefix of the training module."""
    state = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state, "args": argparse.Namespace(lr=0.1), "metric": np.float32(0.9), "optimizer": {"state": {}}}, path)


def save_half(network: nn.Module, path: Path) -> None:
    save_file({name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}, path.with_suffix(".safetensors"))


Save = Callable[[nn.Module, Path], None]


@pytest.mark.parametrize("save", [save_state, save_parallel, save_compiled, save_compiled_in_parallel, save_script, save_half])
def test_wrappings_come_off(save: Save, tmp_path: Path) -> None:
    network = seasoned(ResNet20(7))
    save(network, tmp_path / "net.pth")
    (path,) = tmp_path.iterdir()
    given = read_given(as_is(path))
    assert (given.cfg.backbone, given.cfg.image_size, given.classes) == ("resnet20-cifar", 32, 7)
    precise = {"atol": 0.02, "rtol": 0.02} if save is save_half else {"atol": 1e-5, "rtol": 1e-4}
    detector = given.detector()
    assert detector.head.linear.weight.dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(detector(images(32)), own_logits(network, images(32)), **precise)


@pytest.mark.parametrize(
    ("name", "make", "size"),
    [
        ("openood/resnet18_32x32", ResNet18For32, 32),
        ("wideresnet40_2", wide, 32),
        ("torchvision/resnet18", lambda classes: torchvision.models.resnet18(num_classes=classes), 224),
        ("torchvision/mobilenet_v3_small", lambda classes: torchvision.models.mobilenet_v3_small(num_classes=classes), 224),
        ("torchvision/shufflenet_v2_x0_5", lambda classes: torchvision.models.shufflenet_v2_x0_5(num_classes=classes), 224),
        ("vit_tiny_patch16_224", lambda classes: timm.create_model("vit_tiny_patch16_224", num_classes=classes), 224),
        ("resnet10t", lambda classes: timm.create_model("resnet10t", num_classes=classes), 224),
    ],
)
def test_a_network_is_found_by_its_tensors(name: str, make: Callable[[int], nn.Module], size: int, tmp_path: Path) -> None:
    network = seasoned(make(5), size)
    save_state(network, tmp_path / "net.pth")
    given = read_given(as_is(tmp_path / "net.pth"))
    assert name in (given.cfg.backbone, *given.also)
    detector = read_given(
        given.cfg.model_copy(update={"backbone": name, "image_size": 64 if name.endswith(("resnet18", "resnet10t")) else size})
    ).detector()
    pixels = images(detector.image_size)
    with torch.no_grad():
        got, features = detector(pixels), detector.features(detector.prepare(pixels))
        torch.testing.assert_close(got, own_logits(network, pixels), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(got, detector.head.linear(features))


def test_a_small_stem_in_torchvisions_resnet_is_known(tmp_path: Path) -> None:
    network = torchvision.models.resnet18(num_classes=4)
    network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()  # type: ignore[assignment]
    save_state(seasoned(network), tmp_path / "net.pt")
    given = read_given(as_is(tmp_path / "net.pt"))
    assert (given.cfg.backbone, given.cfg.image_size) == ("torchvision/resnet18_32x32", 32)
    with torch.no_grad():
        torch.testing.assert_close(given.detector()(images(32)), own_logits(network, images(32)), atol=1e-5, rtol=1e-4)


def test_openoods_larger_network_is_torchvisions_with_dropout_in_training(tmp_path: Path) -> None:
    network = seasoned(torchvision.models.resnet18(num_classes=4), 224)
    save_state(network, tmp_path / "net.ckpt")
    detector = read_given(as_is(tmp_path / "net.ckpt", backbone="openood/resnet18_224x224", image_size=224)).detector()
    with torch.no_grad():
        torch.testing.assert_close(detector(images(224)), own_logits(network, images(224)), atol=1e-4, rtol=1e-4)
        detector.backbone.fc.train()
        assert (detector.features(detector.prepare(images(224))) == 0).float().mean() > 0.3


@pytest.fixture
def timm_folder(tmp_path: Path) -> tuple[Path, nn.Module]:
    """A small network in half precision as timm pushes it to a hub, with its arguments, class names and own normalisation."""
    arguments = {"channels": [8, 8, 16, 16], "stem_width": 8}
    network = seasoned(timm.create_model("resnet10t", num_classes=3, **arguments)).half()
    network.pretrained_cfg |= {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3), "input_size": (3, 48, 48), "label_names": None}
    timm.models.save_for_hf(
        network, tmp_path / "hub", {"label_names": ["cat", "dog", "big_bird"]}, model_args=arguments, safe_serialization=True
    )
    return tmp_path / "hub", network.float()


def test_a_timm_folder_says_network_size_normalisation_and_classes(timm_folder: tuple[Path, nn.Module]) -> None:
    folder, network = timm_folder
    given = read_given(as_is(folder))
    assert given.cfg == settled(as_is(folder / "model.safetensors")).model_copy(update={"weights": str(folder)})
    assert (given.cfg.backbone, given.cfg.backbone_params["stem_width"], given.cfg.image_size) == ("resnet10t", 8, 48)
    assert (given.cfg.mean, given.cfg.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    assert given.checkpoint.card.classes == ("cat", "dog", "big_bird")
    with torch.no_grad():
        expected = own_logits(network, images(48), (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
        torch.testing.assert_close(given.detector()(images(48)), expected, atol=1e-5, rtol=1e-4)
    assert settled(as_is(folder, mean=(0, 0, 0))).mean == (0, 0, 0)  # what a user says stands above the file


def test_a_card_that_is_broken_or_of_another_tool_is_named(timm_folder: tuple[Path, nn.Module]) -> None:
    card = timm_folder[0] / "config.json"
    card.write_text("{")
    with pytest.raises(BadWeights, match=r"config\.json beside the weights is no JSON"):
        read_checkpoint(str(timm_folder[0]))
    card.write_text(json.dumps({"architectures": ["ResNetForImageClassification"]}))
    with pytest.raises(BadWeights, match=r"no architecture of timm but .*ResNetForImageClassification"):
        read_checkpoint(str(timm_folder[0]))


@pytest.mark.parametrize("name", ["hf-hub:owner/name", "local-dir:/tmp", "owner/name", "resnet17", "", "a:b"])
def test_a_network_of_no_known_name_is_refused_and_nothing_is_fetched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm.models._factory, "load_model_config_from_hf", lambda *_, **__: pytest.fail("it asked the hub"))
    with pytest.raises(BadConfig, match=r"is not a timm model .*see timm\.list_models"):
        make_backbone(name, {})
    with pytest.raises(BadConfig, match="is not a timm model"):
        make_backbone("resnet10t", {"channels": "many"})


def test_names_of_weights_are_fetched(timm_folder: tuple[Path, nn.Module], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The hub's client is not asked, its cache is; a name that nobody has is told."""
    from badood.detect import hub

    asked = []

    def download(repository: str, name: str, revision: str | None = None) -> str:
        asked.append((repository, name, revision))
        return str(timm_folder[0] / name)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert read_given(as_is("hf_hub:someone/net@v2")).cfg.backbone == "resnet10t"
    assert ("someone/net", "model.safetensors", "v2") in asked
    hub.locate("timm:resnet18.a1_in1k")
    assert asked[-1][0] == "timm/resnet18.a1_in1k"
    with pytest.raises(BadWeights, match=r"timm:resnet18\.mine names no weights .* near it: .*resnet18\.a1_in1k"):
        hub.locate("timm:resnet18.mine")
    with pytest.raises(BadWeights, match="torchvision:resnet51 names no weights"):
        hub.locate("torchvision:resnet51")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    save_state(torchvision.models.shufflenet_v2_x0_5(), tmp_path / "checkpoints" / "shufflenetv2_x0.5-f707e7126e.pth")
    given = read_given(as_is("torchvision:shufflenet_v2_x0_5"))
    assert (given.cfg.backbone, given.cfg.image_size, given.classes) == ("torchvision/shufflenet_v2_x0_5", 224, 1000)
    assert given.checkpoint.card.classes is not None
    assert given.checkpoint.card.classes[0] == "tench"


def test_a_name_that_cannot_be_fetched_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from badood.detect import hub

    def offline(*_: object, **__: object) -> None:
        raise OSError("\x1b[31mno route to host\x1b[0m")

    monkeypatch.setattr(hub, "hf_hub_download", offline)
    with pytest.raises(BadWeights, match=r"hf_hub:a/b cannot be fetched \(no route to host\)"):
        hub.locate("hf_hub:a/b")


def test_a_detector_of_ours_is_one_too(detector: Detector, cfg: config.Detector, tmp_path: Path, squares: Callable) -> None:
    save_detector(detector, tmp_path / "detector.safetensors")
    given = read_given(cfg.model_copy(update={"mode": "as-is", "weights": str(tmp_path / "detector.safetensors")}))
    with torch.no_grad():
        torch.testing.assert_close(given.detector()(squares(8, 0)[0]), detector(squares(8, 0)[0]))


def test_a_whitened_network_is_found_by_its_widths(squares: Callable, cfg: config.Detector, tmp_path: Path) -> None:
    images, _ = squares(8, 0)
    made = untrained(cfg.model_copy(update={"backbone": "whitened-8-16-16", "backbone_params": {}, "image_size": 32}), 2, images).eval()
    save_detector(made, tmp_path / "detector.safetensors")
    given = read_given(as_is(tmp_path / "detector.safetensors"))
    assert (given.cfg.backbone, given.cfg.image_size) == ("whitened-8-16-16", 32)
    with torch.no_grad():
        torch.testing.assert_close(given.detector()(images), made(images))


def test_given_weights_come_back_as_a_detector_file(tmp_path: Path) -> None:
    save_state(seasoned(ResNet20(4)), tmp_path / "net.pth")
    given = read_given(as_is(tmp_path / "net.pth", mean=(0.1, 0.2, 0.3)))
    save_detector(given.detector(), tmp_path / "detector.safetensors")
    again = load_detector(tmp_path / "detector.safetensors", given.cfg, classes=4)
    with torch.no_grad():
        assert torch.equal(again(images(32)), given.detector()(images(32)))


@pytest.mark.parametrize("kind", sorted(backbone))
def test_every_family_makes_what_it_names(kind: str) -> None:
    family = backbone[kind]()
    for name in [name for name in family.names() if kind != "timm" or name in ("resnet10t", "mobilenetv3_small_050")][:3]:
        made = make_backbone(name, {}).eval()
        maps: list[Tensor] = []
        for stage in family.stages(made):
            stage.register_forward_hook(lambda _module, _given, out, maps=maps: maps.append(out))
        with torch.no_grad():
            assert made(torch.zeros(2, 3, 64, 64)).shape == (2, family.width(made))
        assert [out.ndim for out in maps] == [4, 4]


# --- what cannot be used


@pytest.fixture
def resnet20(tmp_path: Path) -> Path:
    save_parallel(seasoned(ResNet20(10)), tmp_path / "resnet20.th")
    return tmp_path / "resnet20.th"


def test_another_architecture_is_told_with_what_it_looks_like(resnet20: Path) -> None:
    with pytest.raises(BadWeights) as caught:
        read_given(as_is(resnet20, backbone="resnet10t", image_size=64))
    for part in (
        "resnet20.th does not fit detector.backbone 'resnet10t'",
        "expected",
        "looks like resnet20-cifar (32 px)",
        "detector.backbone=auto",
    ):
        assert part in str(caught.value)


def test_an_unknown_architecture_is_described(tmp_path: Path) -> None:
    torch.save({"stem.weight": torch.zeros(4, 3, 3, 3), "fc.weight": torch.zeros(6, 4), "fc.bias": torch.zeros(6)}, tmp_path / "x.pth")
    with pytest.raises(
        BadWeights, match=r"no network that is known.*'fc' of 6 classes on 4 features: stem\.weight \(4, 3, 3, 3\).*detector\.backbone"
    ):
        read_given(as_is(tmp_path / "x.pth"))


def test_an_encoder_without_a_classifier_is_told(tmp_path: Path) -> None:
    save_state(make_backbone("resnet20-cifar", {}), tmp_path / "x.pth")
    with pytest.raises(BadWeights, match="has no classifier"):
        read_given(as_is(tmp_path / "x.pth"))


def test_both_class_counts_are_told(resnet20: Path) -> None:
    with pytest.raises(BadWeights, match=r"resnet20\.th tells 10 classes apart, the ID data has 3 \(ant, bee, cow\)"):
        read_given(as_is(resnet20)).check_classes(["ant", "bee", "cow"])


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /tmp/badood-detector-bomb",)


def test_code_in_the_pickle_is_refused_named_and_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": ResNet20(10).state_dict(), "hook": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(BadWeights, match=r"bomb\.pth holds pickled code \((posix|nt)\.system\).*state_dict") as caught:
        read_given(as_is(tmp_path / "bomb.pth"))
    assert "\x1b" not in str(caught.value)
    assert not Path("/tmp/badood-detector-bomb").exists()
    torch.save(ResNet20(10), tmp_path / "whole.pth")
    with pytest.raises(BadWeights, match=r"holds pickled code \(tests\.detect\.foreign\.ResNet20\)"):
        read_given(as_is(tmp_path / "whole.pth"))


def test_a_number_that_is_none_is_told_with_its_tensor(tmp_path: Path) -> None:
    network = ResNet20(10)
    network.layer2[0].conv1.weight.data[0, 0, 0, 0] = float("nan")
    save_state(network, tmp_path / "net.pth")
    with pytest.raises(BadWeights, match=r"layer2\.0\.conv1\.weight holds 1 of 4,608 numbers that are not finite"):
        read_given(as_is(tmp_path / "net.pth"))


def test_a_size_that_the_network_cannot_take_is_told_with_its_own(tmp_path: Path) -> None:
    save_state(timm.create_model("vit_tiny_patch16_224", num_classes=2, depth=1), tmp_path / "vit.pth")
    cfg = as_is(tmp_path / "vit.pth", backbone="vit_tiny_patch16_224", backbone_params={"depth": 1}, image_size=64)
    with pytest.raises(BadConfig, match=r"cannot take images of detector\.image_size = 64 px .* set detector\.image_size=224"):
        read_given(cfg).detector()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": None}, "mode is as-is, which needs given weights"),
        ({"mode": "scratch"}, r"mode is scratch, which starts from random ones; set mode to tuned or as-is"),
        ({"weights": "nowhere.pth"}, r"no file 'nowhere\.pth'.*timm:NAME"),
        ({"weights": "."}, r"holds neither model\.safetensors"),
    ],
)
def test_settings_that_do_not_go_together_are_told(
    change: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((BadConfig, BadWeights), match=said):
        settled(as_is("net.pth").model_copy(update=change))


def test_auto_without_weights_is_told(cfg: config.Detector) -> None:
    with pytest.raises(BadConfig, match=r"auto takes the network of detector\.weights"):
        Detector(cfg.model_copy(update={"backbone": "auto"}), 2)
