"""Training in full and of the head, and scoring."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from badood import config
from badood.core.compute import Compute
from badood.core.errors import BadConfig, BadInput, BadWeights
from badood.detect.backbone import Detector, load_detector, save_detector
from badood.detect.backbones.whitened import Whitened
from badood.detect.energy_loss import rank_correlation
from badood.detect.scorers.base import scorer
from badood.detect.train import make_detector, score, untrained

Squares = Callable[[int, int], tuple[Tensor, Tensor]]
Stripes = Callable[[int, int], Tensor]


def test_detector_names_classes_and_raises_the_energy_of_outliers(
    squares: Squares, stripes: Stripes, detector: Detector, compute: Compute
) -> None:
    images, labels = squares(60, 7)
    known, odd = score(detector, images, compute), score(detector, stripes(60, 8), compute)
    assert (known.logits.argmax(dim=1) == labels).float().mean() > 0.95
    assert odd.energy.median() > known.energy.median()
    assert rank_correlation(known.energy, odd.energy) > 0.7
    assert known.phi is not None
    assert odd.phi is not None
    assert known.phi.median() < 0 < odd.phi.median()


def test_score_is_the_same_in_any_batch_and_says_what_the_network_says(squares: Squares, detector: Detector, compute: Compute) -> None:
    images, _ = squares(20, 9)
    whole = score(detector, images, compute)
    parts = torch.cat([score(detector, part, compute).logits for part in images.split(7)])
    torch.testing.assert_close(whole.logits, parts)
    with torch.no_grad():
        torch.testing.assert_close(whole.logits, detector(images))
    torch.testing.assert_close(whole.logits, whole.head(whole.features))


def test_pixels_may_be_bytes_or_floats_of_any_size(squares: Squares, detector: Detector) -> None:
    images, _ = squares(4, 2)
    torch.testing.assert_close(detector.prepare(images), detector.prepare(images / 255))
    large = images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert detector.prepare(large).shape == (4, 3, 16, 16)
    assert detector.prepare(large).mean() == pytest.approx(detector.prepare(images).mean().item(), abs=1e-3)


def test_same_seed_same_weights_and_another_seed_others(squares: Squares, stripes: Stripes, cfg: config.Detector, compute: Compute) -> None:
    images, labels = squares(64, 0)
    short = cfg.model_copy(update={"epochs": 1})
    weights = [
        make_detector(images, labels, stripes(8, 1), c, 2, compute=compute)[0].head.linear.weight
        for c in (short, short, short.model_copy(update={"seed": 5}))
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_resumes_to_the_same_weights(squares: Squares, stripes: Stripes, cfg: config.Detector, compute: Compute, tmp_path: Path) -> None:
    images, labels = squares(64, 0)
    often = cfg.model_copy(update={"epochs": 2, "checkpoint_seconds": 1e-9})

    class Kill:
        def update(self, stage: str, step: int, total: int, **figures: float) -> None:
            if step == 3:
                raise KeyboardInterrupt

    whole, _ = make_detector(images, labels, stripes(8, 1), often, 2, compute=compute)
    with pytest.raises(KeyboardInterrupt):
        make_detector(images, labels, stripes(8, 1), often, 2, compute=compute, checkpoint=tmp_path / "c.pt", progress=Kill())
    resumed, _ = make_detector(images, labels, stripes(8, 1), often, 2, compute=compute, checkpoint=tmp_path / "c.pt")
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_weights_come_back_from_disk(detector: Detector, cfg: config.Detector, tmp_path: Path) -> None:
    save_detector(detector, tmp_path / "detector.safetensors")
    again = load_detector(tmp_path / "detector.safetensors", cfg, classes=2)
    torch.testing.assert_close(again.state_dict(), detector.state_dict(), rtol=0, atol=0)
    with pytest.raises(BadWeights, match=r"head\.linear\.bias is \(2,\), expected \(3,\)"):
        load_detector(tmp_path / "detector.safetensors", cfg, classes=3)


def test_training_reports_that_energies_are_ordered_as_they_should(
    cfg: config.Detector, compute: Compute, squares: Squares, stripes: Stripes
) -> None:
    images, labels = squares(160, 0)
    _, report = make_detector(images, labels, stripes(40, 1), cfg, 2, compute=compute)
    # two groups of 160 and 40 that are told apart perfectly: sqrt(3 * 0.8 * 0.2)
    assert report["rank_correlation"] == pytest.approx((3 * 0.8 * 0.2) ** 0.5, abs=0.02)


def test_a_classifier_of_id_images_alone(squares: Squares, cfg: config.Detector, compute: Compute) -> None:
    images, labels = squares(200, 0)
    made, report = make_detector(images, labels, None, cfg, 2, compute=compute)
    assert report == {}
    unseen, truth = squares(60, 7)
    plain = score(made, unseen, compute).logits
    assert (plain.argmax(dim=1) == truth).float().mean() > 0.95
    smooth = make_detector(images, labels, None, cfg.model_copy(update={"label_smoothing": 0.4}), 2, compute=compute)[0]
    # of two classes, the best that a smoothed label allows is a probability of 0.8
    surest = score(smooth, unseen, compute).logits.softmax(dim=1).amax(dim=1)
    assert surest.mean() == pytest.approx(0.8, abs=0.05)
    assert plain.softmax(dim=1).amax(dim=1).mean() > surest.mean() + 0.05


def test_mirrored_features_are_those_of_both_views_and_training_sees_one(
    squares: Squares, detector: Detector, cfg: config.Detector
) -> None:
    both = Detector(cfg.model_copy(update={"mirrored": True}), 2)
    both.load_state_dict(detector.state_dict())
    images = squares(8, 0)[0]
    with torch.no_grad():
        seen = both.eval()(images)
        torch.testing.assert_close(seen, (detector(images) + detector(images.flip(-1))) / 2)
        torch.testing.assert_close(seen, both(images.flip(-1)))
        one = copy.deepcopy(detector).train()
        torch.testing.assert_close(both.train()(images), one(images))


def test_a_whitened_first_layer_comes_from_the_images_and_stays(squares: Squares, cfg: config.Detector, compute: Compute) -> None:
    images, labels = squares(200, 0)
    own = cfg.model_copy(update={"backbone": "whitened-8-16", "backbone_params": {}, "epochs": 4})
    begun = untrained(own, 2, images)
    assert isinstance(begun.backbone, Whitened)
    with torch.no_grad():
        seen = begun.backbone.whiten(begun.prepare(images)).permute(1, 0, 2, 3).flatten(1)
    # of the 12 directions, the first vary as one and none goes along with another; the last of a smooth image hardly vary at all
    products = seen[:12] @ seen[:12].T / seen.shape[1]
    assert torch.allclose(products, torch.diag(products.diag()), atol=0.02)
    assert products.diag()[:4] == pytest.approx(1, abs=0.05)
    assert torch.equal(seen[:12], -seen[12:])
    made, _ = make_detector(images, labels, None, own, 2, compute=compute)
    assert isinstance(made.backbone, Whitened)
    assert torch.equal(made.backbone.whiten.weight, begun.backbone.whiten.weight)
    unseen, truth = squares(60, 7)
    assert (score(made, unseen, compute).logits.argmax(dim=1) == truth).float().mean() > 0.95


def test_bad_settings_and_empty_sets_are_named(squares: Squares, cfg: config.Detector, compute: Compute) -> None:
    images, labels = squares(8, 0)
    with pytest.raises(BadInput, match="got 8 and 0"):
        make_detector(images, labels, images[:0], cfg, 2, compute=compute)
    for wrong in ("resnetty", "whitened-64"):
        with pytest.raises(BadConfig, match=wrong):
            Detector(cfg.model_copy(update={"backbone": wrong, "backbone_params": {}}), 2)
    with pytest.raises(BadConfig, match="not_an_argument"):
        Detector(cfg.model_copy(update={"backbone_params": {"not_an_argument": 1}}), 2)


def test_what_decoding_adds_to_id_images_too_is_weak_evidence(squares: Squares, cfg: config.Detector, compute: Compute) -> None:
    """Outliers differ from ID by a veil alone, the decoder's look; ID images rebuilt with the same look take its meaning away."""
    veil = torch.zeros(3, 16, 16, dtype=torch.uint8)
    veil[1] = 60
    images, labels = squares(160, 0)
    outliers, unseen = (squares(80, seed)[0] + veil for seed in (1, 7))
    matched = cfg.model_copy(update={"rebuilt_share": 0.5})
    odds = [
        score(make_detector(images, labels, outliers, matched, 2, compute=compute, rebuilt=given)[0], unseen, compute).phi
        for given in (None, images + veil)
    ]
    naive, fair = (float(phi.median()) for phi in odds if phi is not None)
    assert naive > 2
    assert fair < 1.5


class Stored:
    """Images that are handed out by rows and remember how many at a time."""

    def __init__(self, images: Tensor) -> None:
        self.images, self.most = images, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Tensor) -> Tensor:
        self.most = max(self.most, len(rows))
        return self.images[rows]


def test_outliers_that_lie_elsewhere_train_the_same_weights(squares: Squares, cfg: config.Detector, compute: Compute) -> None:
    images, labels = squares(64, 0)
    outliers = torch.randint(0, 256, (50, 3, 21, 21), dtype=torch.uint8, generator=torch.Generator().manual_seed(4))
    short, stored = cfg.model_copy(update={"epochs": 1}), Stored(outliers)
    made = [make_detector(images, labels, given, short, 2, compute=compute) for given in (outliers, stored)]
    torch.testing.assert_close(made[0][0].state_dict(), made[1][0].state_dict(), rtol=0, atol=0)
    assert made[0][1] == made[1][1]
    # shrunk all at once beforehand, as when they lay in memory
    whole = resize(outliers, [16, 16], antialias=True)
    torch.testing.assert_close(
        make_detector(images, labels, whole, short, 2, compute=compute)[0].state_dict(), made[0][0].state_dict(), rtol=0, atol=0
    )


@pytest.mark.parametrize(("size", "side"), [(21, 16), (64, 32), (33, 32), (300, 224)])
def test_shrinking_a_batch_gives_the_bytes_of_shrinking_all(size: int, side: int) -> None:
    images = torch.randint(0, 256, (9, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole = resize(images, [side, side], antialias=True)
    for rows in ([0], [8, 3, 3], [5, 1, 2, 7]):
        assert torch.equal(resize(images[rows], [side, side], antialias=True), whole[rows])


def test_scores_of_images_that_lie_elsewhere_are_the_same_in_bounded_memory(
    squares: Squares, detector: Detector, cfg: config.Detector, compute: Compute
) -> None:
    images, _ = squares(300, 9)
    stored, small = Stored(images), replace(compute, memory_gb=64 * 4 * 3 * 16**2 * 50 / 2**30)
    seen, whole = score(detector, stored, small), score(detector, images, small)
    assert stored.most == 50
    assert seen.images is stored
    for name in ("features", "logits", "phi"):
        assert torch.equal(getattr(seen, name), getattr(whole, name))
    odin = scorer.make("odin")
    assert torch.equal(odin.score(seen), odin.score(whole))
