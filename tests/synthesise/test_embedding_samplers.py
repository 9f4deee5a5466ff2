import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.nn import functional as F

from badood.core.noise import Noise
from badood.synthesise import synthesiser
from badood.synthesise.boundary import boundary, farthest, kth_distance
from badood.synthesise.gaussians import class_gaussians, gaussian_samples, log_density
from badood.synthesise.rdm import RDM


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def test_kth_distance_is_that_of_an_exact_search() -> None:
    bank, points = draw(80, 12), 3 * draw(20, 12)
    search = NearestNeighbors().fit(F.normalize(bank).numpy())
    expected = search.kneighbors(F.normalize(points).numpy(), 5)[0][:, -1] ** 2
    np.testing.assert_allclose(kth_distance(points, bank, 5).numpy(), expected, rtol=1e-4)


def test_boundary_finds_the_planted_stragglers() -> None:
    features = F.normalize(torch.cat([torch.tensor([1.0, 0, 0]).repeat(50, 1), torch.eye(3)[1:]]) + 0.01 * draw(52, 3))
    assert set(boundary(features, features, 5, 2)[0].tolist()) == {50, 51}
    assert not set(boundary(features, features, 5, 20, inlier=True)[0].tolist()) & {50, 51}


def test_the_farthest_candidates_of_each_block_are_kept() -> None:
    distance = draw(3, 10).abs()
    kept = farthest(distance, 2)
    assert (distance.gather(1, kept).amin(1) >= distance.kthvalue(9, dim=1).values).all()
    assert not torch.equal(kept, farthest(distance, 2, original_selection=True))


def test_log_density_is_torchs() -> None:
    features, labels = draw(60, 5), torch.arange(60) % 3
    means, covariance = class_gaussians(features, labels, 3)
    noise = draw(3, 7, 5)
    expected = torch.distributions.MultivariateNormal(means[:, None], covariance).log_prob(gaussian_samples(means, covariance, noise))
    torch.testing.assert_close(log_density(covariance, noise), expected)


@pytest.mark.parametrize("name", ["npos", "dream_ood", "vos"])
def test_most_outliers_lie_farther_from_their_class_than_three_quarters_of_its_members(
    name: str, rdm: RDM, mixture: tuple[Tensor, Tensor]
) -> None:
    z0, labels = mixture
    rows = torch.arange(100)
    outliers = synthesiser.make(name).fit(z0, labels).sample(z0[rows], labels[rows], rdm, Noise(0, rows.numpy()))
    for label in labels.unique():
        bank = z0[labels == label]
        members = torch.cdist(bank, bank).kthvalue(2, dim=1).values
        distance = torch.cdist(outliers[labels[rows] == label], bank).amin(1)
        assert distance.median() > members.quantile(0.75)


def test_dream_ood_stays_on_the_sphere(rdm: RDM, mixture: tuple[Tensor, Tensor]) -> None:
    z0, labels = mixture
    outliers = synthesiser.make("dream_ood").fit(z0, labels).sample(z0[:10], labels[:10], rdm, Noise(0, np.arange(10)))
    torch.testing.assert_close(outliers.norm(dim=1), z0[:10].norm(dim=1))
