"""How far people who judged the same outliers agree."""

from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.metrics import cohen_kappa_score


def agreement(judged: pd.DataFrame) -> pd.DataFrame:
    """A row a pair of reviewers who judged an outlier in common, by name: one, other, both (outliers that both judged), same (share with the same
    verdict), kappa (Cohen 1960: 1 = always the same, 0 = as by chance; not a number where both gave one verdict only).

    Args:
        judged: who, outlier_id, verdict; a row a person and outlier.
    """
    table = judged.pivot(index="outlier_id", columns="who", values="verdict")
    rows = []
    for one, other in combinations(sorted(table.columns), 2):
        both = table[[one, other]].dropna()
        if len(both):
            kappa = float(cohen_kappa_score(both[one], both[other])) if both.stack().nunique() > 1 else np.nan
            rows.append({"one": one, "other": other, "both": len(both), "same": float((both[one] == both[other]).mean()), "kappa": kappa})
    return pd.DataFrame(rows, columns=["one", "other", "both", "same", "kappa"])
