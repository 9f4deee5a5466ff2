"""Outliers -> kept outliers, as a result of its own: who asks later is told what was kept, not what would be kept now."""

from pathlib import Path

import numpy as np
import pandas as pd

from badood import config
from badood.core.artefacts import digest, write_json
from badood.pipeline.artefacts import Confidence, Described, Harm, Images, Kept, Outliers
from badood.pipeline.preview import Previews
from badood.pipeline.stage import Context, stage


@stage("select", version=2, result=Kept)
def select(
    out: Path,
    cfg: config.Filter,
    outliers: Outliers,
    described: Described | None,
    confidence: Confidence,
    harm: Harm,
    previews: Previews,
    ctx: Context,
) -> None:
    """`kept.npy` (M,) bool and `selection.json`.

    Raises:
        EmptySelection: the filter keeps nothing.
    """
    ctx.take_threads()
    chosen = previews.select(filter_table(outliers, described, confidence, harm), cfg, confidence.validation)
    keep(out, chosen.kept, lo=chosen.lo, hi=chosen.hi, overlap=chosen.overlap, reason=chosen.reason, warning=chosen.warning)


@stage("select-all", version=1, result=Kept, shared=False)
def everything(out: Path, outliers: Outliers | Images, ctx: Context) -> None:
    """As `select`, of every outlier: what the first detector is trained on, before there is any confidence."""
    keep(out, np.ones(len(outliers), dtype=bool), lo=0.0, hi=1.0, overlap=0.0, reason="every outlier", warning="")


def keep(out: Path, mask: np.ndarray, **told: object) -> None:
    """Write which are kept, with a key of that alone."""
    np.save(out / "kept.npy", mask)
    write_json(out / "selection.json", {"content": digest(np.packbits(mask).tobytes().hex(), len(mask)), "kept": int(mask.sum()), **told})


def filter_table(outliers: Outliers, described: Described | None, confidence: Confidence, harm: Harm) -> pd.DataFrame:
    """M rows of what filters choose by: outlier_id, source, id_confidence, and minority_score, harm and gradient_anomaly where they are known."""
    table = pd.DataFrame({"outlier_id": np.arange(len(outliers)), "source": outliers.sources, "id_confidence": confidence.outliers})
    table = table.join(harm.table().to_pandas())
    score = outliers.column("minority_score") if described is None else described.table()["minority_score"].to_numpy()
    return table if score is None else table.assign(minority_score=score)
