"""Cases of the embedding samplers: Dream-OOD and NPOS round the boundary, VOS from class Gaussians."""

import torch
from torch import Tensor

from badood.benchmark.conformance.engine import Case, Check, family
from badood.synthesise.boundary import boundary, candidates, farthest, kth_distance
from badood.synthesise.gaussians import class_gaussians, gaussian_samples, least_likely, log_density


@family("dreamood_npos")
def dreamood_npos(case: Case, check: Check) -> None:
    """Boundary points, candidates round them, and which of them are kept, in three variants."""
    cfg, features = case.config, case.input("id_features")
    bank = features[case.input("row_permutation")]
    for variant in ("dream", "dream_inlier", "npos"):
        if f"{variant}.boundary_indices" not in case.outputs():
            continue
        inlier = variant == "dream_inlier"
        edge, distance = boundary(features, bank, cfg["K"], cfg["select"], inlier=inlier)
        check.close(f"{variant}.boundary_indices", edge)
        check.close(f"{variant}.boundary_kth_distance", distance)
        for name in case.outputs(f"{variant}.boundary_data"):
            check.close(name, features[edge])
        tried = candidates(features[edge][case.input("pick")], case.input("noise"), cfg["sigma"], unit=variant != "npos")
        check.close(f"{variant}.candidates", tried.flatten(0, 1))
        if f"{variant}.raised_index_error" in case.outputs():
            continue
        spread = kth_distance(tried, bank, cfg["K"])
        rows = kept_rows(-spread if inlier else spread, cfg["num_points"])
        check.close(f"{variant}.kept_rows", rows)
        check.close(f"{variant}.kept", tried.flatten(0, 1)[rows])
    for name in case.outputs("npos.raised_index_error"):
        check.close(name, torch.tensor([int(1 in (cfg["num_points"], cfg["pic_nums"]))]))
        check.remark("NPOS's own selection fails for one kept point or one boundary point; the product's does not")
    check.remark("original_selection: distances read as if blocks were interleaved; the product keeps the farthest rows of each block")


def kept_rows(distance: Tensor, keep: int) -> Tensor:
    """Row numbers among all candidates, block after block, that the original keeps of (P, L) distances."""
    kept = farthest(distance, keep, original_selection=True)
    return (kept + distance.shape[1] * torch.arange(len(kept), device=kept.device)[:, None]).flatten()


@family("vos")
def vos(case: Case, check: Check) -> None:
    """Class Gaussians over the queues, samples of them, and the least likely ones."""
    queues = case.input("queue_before").clone()
    for feature, label in zip(case.input("batch_features"), case.input("batch_labels").tolist(), strict=True):
        queues[label] = torch.cat([queues[label][1:], feature[None]])
    check.close("queue_after", queues)
    check.remark(
        "the queues of VOS's training loop are pushed by the check; the product's embeddings are fixed, so it takes all of a class"
    )
    classes, length, _ = queues.shape
    means, covariance = class_gaussians(
        queues.flatten(0, 1), torch.arange(classes, device=queues.device).repeat_interleave(length), classes
    )
    samples, density = gaussian_samples(means, covariance, case.input("noise")), log_density(covariance, case.input("noise"))
    check.close("class_means", means)
    check.close("covariance", covariance)
    check.close("candidates", samples)
    check.close("log_prob", density)
    kept = least_likely(density, case.config["select"])
    check.close("kept", samples.gather(1, kept[..., None].expand(-1, -1, samples.shape[-1])).flatten(0, 1))
