"""Table 5: calibrators."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from badood.benchmark.seeded import Seeded
from badood.benchmark.table import DETECTION, Column, Row, Table, table
from badood.calibrate import brier_score, calibration_error, calibrator, reliability_table
from badood.calibrate.compared import RAW, judged_apart
from badood.core.errors import Uncalibrated
from badood.pipeline.stages.calibrate import calibrate

PAPER = """
row,Methods,iNaturalist FPR95,iNaturalist AUROC,Places FPR95,Places AUROC,Sun FPR95,Sun AUROC,Textures FPR95,Textures AUROC,FPR95,AUROC
beta,Beta calibration,26.25,95.53,32.29,93.76,34.17,93.48,53.33,86.01,36.51,92.20
temperature,Temperature scaling,38.85,92.50,51.04,88.34,55.73,85.56,53.65,89.10,49.82,90.38
isotonic,Isotonic Regression,41.77,90.26,53.44,86.86,55.94,83.37,54.38,89.31,51.38,88.95
"""


@table("table5")
class Table5(Table):
    """The run's filter under every calibrator, and how true each one's confidences are."""

    title: ClassVar = "Calibrators"
    source: ClassVar = "Paper Table 5"
    told: ClassVar = (
        "Each calibrator maps the scores of the same first detector; the run's filter keeps a tenth of the outliers by its confidences, and rows are "
        "held against as many at random. ECE and Brier score are of held-out images, ID validation and auxiliary OOD, of which each calibrator was "
        "fitted on every second one and judged on the others; raw is before calibration."
    )
    columns: ClassVar = (*DETECTION, Column("ece", "ECE ↓", -1), Column("brier", "Brier ↓", -1, percent=False))
    paper: ClassVar = PAPER

    def measure(self, at: Seeded, part: str) -> list[Row]:
        """A row a calibrator, and "random" and "raw" beside them."""
        true, chosen = self._truth(at), at.selections()
        rows = at.retrained({"random": chosen["random"]})
        found, fit = at.found, at.cfg.evaluate.fit_images
        for name in calibrator:
            scoring = found.scoring.model_copy(update={"method": name})
            sets = found.sets
            try:
                confidence = at.do(
                    calibrate, scoring, fit, found.previews.first, sets.train, found.outliers, sets.validation, sets.auxiliary
                )
            except Uncalibrated as error:
                rows.append({"row": name, "note": str(error)})
                continue
            rows += at.retrained({name: chosen["calibrated"]}, replace(found, scoring=scoring, confidence=confidence))
        return [*({**row, **true.get(row["row"], {})} for row in rows), {"row": RAW, **true[RAW]}]

    def _truth(self, at: Seeded) -> dict[str, Row]:
        """ECE and Brier score by calibrator, on images that it was not fitted on."""
        reference = at.found.confidence.reference
        known = (reference["set"] == "validation").to_numpy()
        confidence, is_id = judged_apart(reference["log_odds"].to_numpy(np.float64), known)
        return {
            name: {"ece": calibration_error(reliability_table(values, is_id)), "brier": brier_score(values, is_id)}
            for name, values in confidence.items()
        }

    def foil(self, row: str) -> str:
        """As many at random."""
        return "" if row in ("random", RAW) else "random"
