"""Every registered scorer on a small trained detector: orientation, shape, batches, degenerate rows, and errors."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from badood.core.compute import Compute
from badood.core.errors import BadConfig, BadInput
from badood.detect.activations import Activations
from badood.detect.backbone import Detector
from badood.detect.scorers import Scorer, named, scorer
from badood.detect.train import score
from badood.evaluate.metrics import ood_metrics

Squares = Callable[[int, int], tuple[Tensor, Tensor]]
Stripes = Callable[[int, int], Tensor]
Split = tuple[Activations, Tensor]

PARAMS = {"knn": {"k": 5}, "nnguide": {"k": 5}}
"""Where the default asks for more ID images than the toy world has."""


@pytest.fixture(scope="module")
def train(squares: Squares, detector: Detector, compute: Compute) -> Split:
    images, labels = squares(160, 0)
    return score(detector, images, compute), labels


@pytest.fixture(scope="module")
def id_test(squares: Squares, detector: Detector, compute: Compute) -> Activations:
    return score(detector, squares(60, 7)[0], compute)


@pytest.fixture(scope="module")
def ood_test(stripes: Stripes, detector: Detector, compute: Compute) -> Activations:
    return score(detector, stripes(60, 8), compute)


def fitted(name: str, train: Split) -> Scorer:
    made: Scorer = scorer.make(name, PARAMS.get(name))
    return made.fit(*train)


def rows(seen: Activations, kept: slice) -> Activations:
    assert seen.images is not None
    assert seen.phi is not None
    return replace(seen, logits=seen.logits[kept], features=seen.features[kept], phi=seen.phi[kept], images=seen.images[kept])


# the toy world's maps have one position, of which RankFeat leaves nothing; it has a test of its own
@pytest.mark.parametrize("name", [name for name in scorer if name != "rankfeat"])
def test_outliers_have_the_larger_anomaly(name: str, train: Split, id_test: Activations, ood_test: Activations) -> None:
    made = fitted(name, train)
    anomaly_id, anomaly_ood = made.score(id_test), made.score(ood_test)
    assert anomaly_id.shape == anomaly_ood.shape == (60,)
    assert anomaly_id.isfinite().all()
    assert anomaly_ood.isfinite().all()
    assert not anomaly_id.requires_grad
    assert ood_metrics(anomaly_id.numpy(), anomaly_ood.numpy())["auroc"] > 0.8


@pytest.mark.parametrize("name", list(scorer))
def test_an_images_anomaly_does_not_depend_on_its_neighbours(name: str, train: Split, id_test: Activations) -> None:
    made = fitted(name, train)
    parts = torch.cat([made.score(rows(id_test, slice(0, 7))), made.score(rows(id_test, slice(7, None)))])
    torch.testing.assert_close(made.score(id_test), parts, rtol=1e-4, atol=1e-5)


def test_phi_of_a_network_that_has_none_is_told(id_test: Activations) -> None:
    with pytest.raises(BadInput, match=r"calibrate\.score=energy"):
        scorer.make("phi", {}).score(replace(id_test, phi=None))


@pytest.mark.parametrize("name", list(scorer))
def test_fitting_again_gives_the_same_anomalies(name: str, train: Split, id_test: Activations) -> None:
    torch.testing.assert_close(fitted(name, train).score(id_test), fitted(name, train).score(id_test))


@pytest.mark.parametrize("name", [name for name, entry in scorer.items() if "images" in entry.needs])
def test_a_scorer_that_runs_the_network_asks_for_images(name: str, train: Split, id_test: Activations) -> None:
    with pytest.raises(BadInput, match="needs images"):
        fitted(name, train).score(replace(id_test, images=None, network=None))


@pytest.mark.parametrize("name", [name for name, entry in scorer.items() if "images" in entry.needs])
def test_a_scorer_that_runs_the_network_leaves_it_as_it_was(name: str, train: Split, id_test: Activations, detector: Detector) -> None:
    before = {key: tensor.clone() for key, tensor in detector.state_dict().items()}
    detector.zero_grad()
    fitted(name, train).score(id_test)
    assert all(torch.equal(tensor, before[key]) for key, tensor in detector.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in detector.parameters())


@pytest.mark.parametrize("name", [name for name, entry in scorer.items() if "images" not in entry.needs])
def test_an_image_without_any_active_feature_has_a_finite_anomaly(name: str, train: Split) -> None:
    seen = train[0]
    dead = torch.zeros(1, seen.features.shape[1])
    with torch.no_grad():
        blank = Activations(seen.head(dead), dead, seen.head, phi=torch.zeros(1))
    assert fitted(name, train).score(blank).isfinite().all()


@pytest.mark.parametrize("name", ["knn", "nnguide"])
def test_more_neighbours_than_images_are_cut_with_a_notice(
    name: str, train: Split, id_test: Activations, caplog: pytest.LogCaptureFixture
) -> None:
    seen, labels = rows(train[0], slice(0, 21)), train[1][:21]
    cut = scorer.make(name, {"k": 1000}).fit(seen, labels)
    assert f"{name}: k is cut from 1000 to the 21 ID images at hand" in caplog.text
    torch.testing.assert_close(cut.score(id_test), scorer.make(name, {"k": 21}).fit(seen, labels).score(id_test))


@pytest.mark.parametrize("name", list(scorer))
def test_default_scorers_learn_from_as_few_images_as_they_say(name: str, train: Split, id_test: Activations) -> None:
    made = scorer.make(name)
    few = slice(0, made.least)
    assert made.fit(rows(train[0], few), train[1][few]).score(id_test).isfinite().all()


def test_godin_says_how_many_images_it_needs(train: Split) -> None:
    with pytest.raises(BadInput, match="godin needs 2 ID images"):
        scorer.make("godin").fit(rows(train[0], slice(0, 1)), train[1][:1])


def test_settings_name_scorers_with_parameters() -> None:
    assert named("knn") == ("knn", scorer.make("knn"))
    assert named({"name": "knn", "k": 10}) == ("knn(k=10)", scorer.make("knn", {"k": 10}))
    assert named({"name": "knn", "k": 50})[0] == "knn"
    assert named({"name": "ash", "percentile": 90, "variant": "b"})[0] == "ash(percentile=90.0, variant=b)"
    for entry, message in (
        ({"k": 10}, "has no name"),
        ({"name": "knn", "kk": 10}, "did you mean k"),
        ({"name": "knn", "k": 0}, "k = 0"),
        ("kn", "did you mean knn"),
    ):
        with pytest.raises(BadConfig, match=message):
            named(entry)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["vim", "residual"])
def test_a_principal_space_of_all_axes_is_an_error(name: str, train: Split) -> None:
    with pytest.raises(BadInput, match="leaves nothing"):
        scorer.make(name, {"dim": 4096}).fit(*train)


@pytest.mark.parametrize(("name", "params"), [("energy", {"temperature": 0}), ("ash", {"percentile": 100}), ("she", {"closeness": "l1"})])
def test_a_parameter_out_of_range_is_named(name: str, params: dict[str, object]) -> None:
    with pytest.raises(BadConfig, match=next(iter(params))):
        scorer.make(name, params)


def test_vim_keeps_an_orthonormal_space_that_holds_the_smallest_part_of_the_features(train: Split) -> None:
    seen, _ = train
    space = scorer.make("vim", {"dim": 4}).fit(*train).space_
    axes = space.principal_subspace
    torch.testing.assert_close(axes.T @ axes, torch.eye(axes.shape[1]), atol=1e-5, rtol=0)
    centred = seen.features - space.u
    total = centred.square().sum()
    best = torch.linalg.svdvals(centred)[4:].square().sum()  # Eckart and Young
    torch.testing.assert_close((centred @ axes).square().sum() / total, best / total, atol=1e-5, rtol=0)


def test_rankfeat_finds_maps_of_one_strong_component_odd() -> None:
    class Maps(nn.Module):
        """Images are the maps; the classes are bright in the first or the second channel."""

        pixel_std = (1.0, 1.0, 1.0)

        def __init__(self) -> None:
            super().__init__()
            self.before, self.last = nn.Identity(), nn.Conv2d(3, 3, 1, bias=False)
            nn.init.dirac_(self.last.weight)

        @property
        def stages(self) -> tuple[nn.Module, nn.Module]:
            return self.before, self.last

        def prepare(self, images: Tensor) -> Tensor:
            return images

        def features(self, prepared: Tensor) -> Tensor:
            maps: Tensor = self.last(self.before(prepared))
            return maps.mean(dim=(2, 3))

        def classify(self, prepared: Tensor) -> Tensor:
            return self.features(prepared)[:, :2]

    g = torch.Generator().manual_seed(0)
    glow = torch.zeros(40, 3, 16)
    glow[:, 2, :8] = 20 + torch.rand(40, 1, generator=g)  # strong in the third channel, which no class looks at
    id_maps, ood_maps = glow.clone(), glow.clone()
    id_maps[torch.arange(40), torch.arange(40) % 2, 8:] = 5  # evidence of a class elsewhere in the map: a second component
    ood_maps[:, :2, :8] = 5  # the same evidence at the same place: one component
    network, head = Maps(), nn.Linear(3, 2)
    anomaly = [
        scorer.make("rankfeat").score(
            Activations(torch.zeros(40, 2), torch.zeros(40, 3), head, images=maps.view(40, 3, 4, 4), network=network)
        )
        for maps in (id_maps, ood_maps)
    ]
    assert anomaly[0].max() < anomaly[1].min()
    # of the OOD maps nothing is left: two equal logits of 0
    torch.testing.assert_close(anomaly[1], torch.full((40,), -0.6931), atol=1e-3, rtol=0)
    seen = Activations(torch.zeros(40, 2), torch.zeros(40, 3), head, images=id_maps.view(40, 3, 4, 4), network=network)
    approximate = scorer.make("rankfeat", {"power_iterations": 20}).score(seen)
    torch.testing.assert_close(approximate, anomaly[0], atol=1e-4, rtol=0)


def test_the_original_sign_moves_pixels_that_have_no_gradient() -> None:
    class Blind(nn.Module):
        """Looks at the left half only; its logits are the brightness and its reverse."""

        pixel_std = (0.5, 0.25, 0.2)
        stages = (nn.Identity(), nn.Identity())

        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(1))
            self.inputs: list[Tensor] = []

        def prepare(self, images: Tensor) -> Tensor:
            return images

        def features(self, prepared: Tensor) -> Tensor:
            self.inputs.append(prepared.detach())
            bright = prepared[..., :2].mean(dim=(1, 2, 3)) * self.gain
            return torch.stack([bright, -bright], dim=1)

        classify = features

    images, head = torch.rand(2, 3, 4, 4) + 0.5, nn.Linear(2, 2)
    for original, moved in ((False, 0.0), (True, -0.01)):
        network = Blind()
        seen = Activations(torch.zeros(2, 2), torch.zeros(2, 2), head, images=images, network=network)
        scorer.make("odin", {"step": 0.01, "original_sign": original}).score(seen)
        change = network.inputs[-1] - images
        torch.testing.assert_close(change[:, :, :, 2:], (moved / torch.tensor(Blind.pixel_std))[None, :, None, None].expand(2, 3, 4, 2))
        assert (change[..., :2] > 0).all()
