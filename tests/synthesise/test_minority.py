import numpy as np
import pytest
import torch
from torch import Tensor

from badood.core.errors import BadConfig, BadInput
from badood.core.noise import Noise
from badood.synthesise import synthesiser
from badood.synthesise.guidance import minority_score, normalised
from badood.synthesise.rdm import RDM


def outliers(rdm: RDM, mixture: tuple[Tensor, Tensor], rows: slice = slice(0, 200), name: str = "minority", **params: object) -> Tensor:
    z0, labels = mixture
    noise = Noise(0, np.arange(len(z0))[rows])
    return synthesiser.make(name, params).sample(z0[rows], labels[rows], rdm, noise)


def scores(rdm: RDM, z: Tensor) -> Tensor:
    return minority_score(rdm, z, 125, Noise(1, np.arange(len(z))), samples=4)


def test_minority_score_rises_with_the_guidance_scale(rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    means = [float(scores(rdm, outliers(rdm, mixture, scale=scale)).mean()) for scale in (0.0, 0.025, 0.05, 0.075)]
    assert means == sorted(means)
    assert means[-1] > 1.2 * means[0]


def test_unguided_samples_are_as_likely_as_the_data(rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    z0 = mixture[0][:200]
    again = outliers(rdm, mixture, scale=0.0)
    nearest = torch.cdist(again, mixture[0]).amin(1)
    assert nearest.median() < 1.2 * torch.cdist(z0, mixture[0]).kthvalue(2, dim=1).values.median()


def test_low_likelihood_points_score_higher(rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    z0 = mixture[0]
    between = (z0[0:100] + z0[1:101]) / 2
    assert scores(rdm, between).mean() > 1.5 * scores(rdm, z0[:100]).mean()


@pytest.mark.parametrize("name", sorted(synthesiser))
def test_an_outlier_does_not_depend_on_its_batch(name: str, rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    method = synthesiser.make(name).fit(*mixture)
    z0, labels = mixture
    rows = np.arange(len(z0))
    whole = method.sample(z0[:40], labels[:40], rdm, Noise(3, rows[:40]))
    part = method.sample(z0[24:40], labels[24:40], rdm, Noise(3, rows[24:40]))
    torch.testing.assert_close(whole[24:40], part, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(whole, method.sample(z0[:40], labels[:40], rdm, Noise(4, rows[:40])), atol=1e-3)
    assert whole.shape == z0[:40].shape
    assert whole.isfinite().all()


@pytest.mark.parametrize(
    "params", [{"norm": 1.0}, {"samples": 3}, {"normalise": False}, {"by_variance": True, "scale": 5.0}, {"every": 5}, {"eta": 1.0}]
)
def test_every_option_still_lowers_likelihood(params: dict[str, float], rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    guided = {"scale": 0.1, **params}
    assert scores(rdm, outliers(rdm, mixture, **guided)).mean() > scores(rdm, outliers(rdm, mixture, **{**guided, "scale": 0.0})).mean()


def test_guidance_leaves_likely_regions_faster_than_noise_of_its_size(rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    guided, noisy = (outliers(rdm, mixture, name=name, scale=0.03) for name in ("minority", "gaussian"))
    assert scores(rdm, guided).mean() > scores(rdm, noisy).mean()


def test_a_zero_gradient_stays_zero() -> None:
    gradient = torch.tensor([[0.0, 0.0], [2.0, -4.0]])
    assert normalised(gradient).tolist() == [[0.0, 0.0], [0.5, -1.0]]
    assert normalised(gradient, least=0.0)[0].isnan().all()


def test_wrong_settings_are_named(rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(BadConfig, match=r"'minority' cannot take scale = -1.*greater than or equal to 0"):
        synthesiser.make("minority", {"scale": -1})
    with pytest.raises(BadConfig, match=r"strat = 3: Unexpected.*start"):
        synthesiser.make("minority", {"strat": 3})
    with pytest.raises(BadInput, match=r"333 sampling steps reaches step 1000"):
        outliers(rdm, mixture, steps=333)
    with pytest.raises(BadInput, match=r"start is 1000, expected a diffusion step in 1\.\.999"):
        outliers(rdm, mixture, start=1000)


@pytest.mark.parametrize("name", ["minority", "gaussian"])
def test_a_model_of_scaled_embeddings_gives_outliers_in_the_scale_of_z0(name: str, rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    """The same model, told that it was trained on embeddings times 2: half of z0 is to it what z0 was."""
    z0, labels = mixture
    scaled = RDM(rdm.network, rdm.embedding, rdm.schedule, input_scale=2.0).eval()
    method = synthesiser.make(name, {"scale": 0.05})
    noise = Noise(0, np.arange(100))
    half = method.sample(z0[:100] / 2, labels[:100], scaled, noise)
    torch.testing.assert_close(2 * half, method.sample(z0[:100], labels[:100], rdm, noise))
    torch.testing.assert_close(2 * scores(scaled, half), scores(rdm, 2 * half))
