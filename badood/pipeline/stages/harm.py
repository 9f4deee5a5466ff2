"""How much each outlier harms the first detector, and whether that foretells anything. DESIGN "Harm"."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from badood.core.artefacts import write_json
from badood.core.rows import evenly
from badood.detect.harm import disagreement, gradient_anomaly, halves
from badood.detect.harm import harm as harm_of
from badood.evaluate.agreement import agreement
from badood.pipeline.artefacts import Harm
from badood.pipeline.preview import Previews
from badood.pipeline.stage import Context, stage
from badood.pipeline.stages.features import ENOUGH


@stage("harm", version=2, result=Harm, shared=False)
def harm(out: Path, subsets: int, previews: Previews, ctx: Context) -> None:
    """`outliers.parquet`: M rows of harm, gradient_anomaly and disagreement; `agreement.json` of foretold and real retrains of the head.

    Args:
        subsets: random halves of the outliers on which the head is retrained.
    """
    ctx.take_threads()
    features = torch.from_numpy(np.array(previews.features.array("outliers")))
    among = evenly(len(features), ENOUGH)
    retrain, held_out = previews.retrain(among), previews.held_out
    theta = retrain.minimum()
    found = harm_of(retrain, theta, held_out, features)
    columns = {"harm": found, "gradient_anomaly": gradient_anomaly(retrain, theta, features)}
    tried = halves(retrain, theta, held_out, found[among], subsets if len(among) > 1 else 0, progress=ctx.progress)
    if len(tried.heads) > 1:
        columns["disagreement"] = disagreement(retrain, tried.heads, features)
    pd.DataFrame(columns).to_parquet(out / "outliers.parquet")
    write_json(out / "agreement.json", asdict(agreement(tried.foretold, tried.real)))
