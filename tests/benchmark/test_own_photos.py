"""What somebody with some photos gets, as a page."""

from badood.benchmark.own_photos import page

PLAN = {
    "images": 2000,
    "seconds": {"rdm": 60.0, "mage": 600.0},
    "steps": {"rdm": 600, "mage": 1800},
    "weights_mb": 30.0,
    "checkpoint_mb": 120.0,
    "warnings": [],
}
REACHED = {
    "psnr_db": 22.7,
    "flat_psnr_db": 14.04,
    "knn_accuracy": 0.9,
    "decode_consistency": 0.63,
    "chance": 0.25,
    "clip_top1": 0.5,
}


def test_routes_stand_side_by_side() -> None:
    place = {"cpu": "some CPU", "cores": 2}
    scratch = PLAN | {"seconds": {"encoder": 6000.0, **PLAN["seconds"]}, "warnings": ["too few images"]}
    given = place | {"whole": PLAN, "short": PLAN, "kept": {}, "before": REACHED, "after": REACHED | {"decode_consistency": 0.7}}
    own = place | {"whole": scratch, "short": scratch, "kept": {}, "before": None, "after": REACHED | {"decode_consistency": None}}
    text = page({"32:cifar": given, "64": own})
    assert "| 32 px, from the weights of cifar | kept | 1 | kept | 10 | kept | 11 | 30 MB | 120 MB |" in text
    assert "| 64 px, from random weights | 100 | 1 | kept | 10 | kept | 111 | 30 MB | 120 MB |" in text
    assert "Warned: too few images" in text
    assert "| 32 px, from the weights of cifar, as given | 22.7 | 14.0 | 90.0% | 63.0% | 25.0% | 50.0% |" in text
    assert "| 32 px, from the weights of cifar, trained | 22.7 | 14.0 | 90.0% | 70.0% | 25.0% | 50.0% |" in text
    assert "| 64 px, from random weights, trained | 22.7 | 14.0 | 90.0% | – | 25.0% | 50.0% |" in text
    assert "own-photos-32-cifar.png" in text
