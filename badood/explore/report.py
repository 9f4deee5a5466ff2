"""A run as one HTML file that needs nothing else: settings, tables, interactive figures, example images."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from badood.core.artefacts import atomic_file
from badood.evaluate.metrics import FPR95_OPENOOD
from badood.evaluate.shift import KINDS, shift_summary
from badood.explore import figures
from badood.explore.finished import METRICS, Finished
from badood.explore.notebook import show_band, show_harm, show_minority, show_outliers
from badood.explore.queries import Filters
from badood.explore.reviewers import agreement
from badood.pipeline.artefacts import OURS


@dataclass(frozen=True)
class Section:
    """A part of the report; what is None is left out.

    Attributes:
        heading: of the part. text: what to look for.
        figure: interactive figure. table: shown as it is. image: bytes of a PNG.
    """

    heading: str
    text: str
    figure: go.Figure | None = None
    table: pd.DataFrame | None = None
    image: bytes | None = None


def write_report(found: Finished, out: Path, band: tuple[float, float] | None = None, judged: pd.DataFrame | None = None) -> Path:
    """Write the report of a finished run.

    Args:
        out: the HTML file. band: lo and hi of id_confidence to show; None = the run's own band, whatever unit it was given in.
        judged: what each person says, as `store.verdicts.of_each` gives it; none = no part on verdicts.
    """
    band = band or found.starting_band
    record = found.run.record
    facts = {
        "preset": found.run.cfg.preset,
        "created": record["created"],
        "outliers": f"{len(found.outliers):,}",
        "band shown": f"{band[0]:g} to {band[1]:g} in id_confidence",
        "least CLIP probability (tau)": f"{found.tau:.3f}",
        "wall time": f"{record['totals'].get('wall_seconds', 0):,.0f} s",
        "peak memory": f"{record['totals'].get('peak_rss_mb', 0):,.0f} MB",
        "git revision": record["git"] or "not a checkout",
        "versions": ", ".join(f"{name} {number}" for name, number in record["versions"].items()),
    }
    page = _page().render(
        title=f"Bad-OOD run {found.run.id}",
        facts=facts,
        notices=_notices(found),
        sections=[_plain(section) for section in [*sections(found, band), *_verdicts(found, judged)]],
        settings=json.dumps(record["config"], indent=2),
        plotly=get_plotlyjs(),
    )
    with atomic_file(out) as part:
        # a path in the settings may hold bytes that are no text
        part.write_text(page, encoding="utf-8", errors="backslashreplace")
    return out


def _verdicts(found: Finished, judged: pd.DataFrame | None) -> list[Section]:
    """What people said, and how far they agree."""
    if judged is None or judged.empty:
        return []
    counts = judged.groupby(["who", "verdict"]).size().unstack(fill_value=0).reset_index()
    text = f"{judged['outlier_id'].nunique():,} of {len(found.outliers):,} outliers were judged; a row a person."
    parts = [Section("Verdicts", text, table=counts)]
    pairs = agreement(judged)
    if len(pairs):
        told = "Of outliers that two people judged. Kappa (Cohen 1960) is 1 where they always say the same, 0 where as often as by chance."
        parts.append(Section("Agreement", told, table=pairs.assign(same=pairs["same"].round(3), kappa=pairs["kappa"].round(3))))
    return parts


def _notices(found: Finished) -> list[str]:
    """What the run itself said to its user: advice, and what it left out, counted by reason."""
    advice = str(found.run.record.get("advice") or "")
    left_out = [
        f"Left out of {row.set}: {row.count:,} ({row.kind}), such as {row.path}: {row.reason}"
        for row in found.left_out.itertuples(index=False)
    ]
    return [*([advice] if advice else []), *left_out]


def sections(found: Finished, band: tuple[float, float]) -> list[Section]:
    """The parts of the report, in the method's order."""
    filters = found.filters()
    kept = found.outliers.count(Filters(id_confidence=band))
    parts = [
        Section(
            "Where the outliers lie",
            f"The band keeps {kept:,} of {len(found.outliers):,} outliers. What it keeps right of the dashed line looks as ID as 95 % of the ID images.",
            figure=show_band(found, band),
        ),
        _examples(found, "Examples from the band", Filters(id_confidence=band)),
        _examples(found, "The outliers nearest to ID", Filters(), descending=True),
        _examples(found, "The outliers farthest away", Filters()),
        *_minority(found),
        *_harm(found),
        Section("Types", "What CLIP names in the outliers, before and after the band.", figure=figures.ood_types(found.types(*band))),
        *_by_source(found, band),
        Section(
            "Filters compared",
            "Every row is a detector retrained on what the filter keeps, on test data. FPR95: share of OOD accepted as ID where 95 % of ID is. "
            + (f"Chosen on validation images: {found.chosen.name}." if found.chosen else "No detector of this run could be calibrated."),
            figure=figures.filter_table(filters),
            table=_percent(filters),
        ),
    ]
    for name in filters["filter"][:1]:
        parts.append(
            Section("Scores compared", f"Detector of the filter “{name}”, mean over the OOD sets.", table=_percent(found.scorers(name)))
        )
        parts.append(_shift(found, name))
    return parts


def _shift(found: Finished, name: str) -> Section:
    """All methods by rank, and the heatmaps of ours and of the first."""
    table, heading, text = found.shift(name), "Shift", f"Detector of the filter “{name}”. "
    if table.empty:
        return Section(heading, text, figure=figures.shift_heatmaps(table))
    ranked = shift_summary(table)
    text += (
        "First the method whose AUROC, against the ID test images, rises most by semantic level. Slopes are in points of AUROC a level, "
        "without sign. In the heatmaps a number is the AUROC of a cell in percent, a colour its mean anomaly."
    )
    shown = table[table["method"].isin([OURS, ranked["method"].iloc[0]])]
    in_points = ranked.assign(**{f"{kind}_slope": 100 * ranked[f"{kind}_slope"] for kind in KINDS})
    return Section(heading, text, figure=figures.shift_heatmaps(shown), table=in_points)


def _minority(found: Finished) -> list[Section]:
    """None where no outlier has a guidance scale and a score."""
    if not {"guidance_scale", "minority_score"} <= found.outliers.known:
        return []
    return [Section("Minority score", "Stronger guidance should move the mean upward.", figure=show_minority(found))]


def _harm(found: Finished) -> list[Section]:
    """None where it could not be estimated."""
    told = found.harm_told
    if told is None or not told.trusted:
        return []
    text = (
        "By how much AUROC on held-out images would rise if the last layer were trained without an outlier; positive = harmful. The estimate "
        f"foretells retrains of the last layer with a rank correlation of {told}."
    )
    return [Section("Harm", text, figure=show_harm(found))]


def _by_source(found: Finished, band: tuple[float, float]) -> list[Section]:
    """None where there is one source only."""
    if len(found.sources) < 2:
        return []
    table = found.types_by_source(found.tau, band)
    shares = [str(name) for name in table if name not in ("source", "outliers", "inside")]
    shown = table.assign(**{name: [f"{100 * value:.1f} %" for value in table[name]] for name in shares})
    text = "Outliers of each source and their types; “inside” is what the band keeps."
    return [Section("Sources", text, table=shown)]


def _examples(found: Finished, heading: str, filters: Filters, *, descending: bool = False) -> Section:
    if not found.outliers.count(filters):
        return Section(heading, "There is none.")
    buffer = io.BytesIO()
    show_outliers(found, filters, descending=descending, count=20).save(buffer, "PNG")
    text = "Upper right: id_confidence. Border: type. Below: the anchor's class, or what the source calls it, and what CLIP sees."
    return Section(heading, text, image=buffer.getvalue())


def _percent(table: pd.DataFrame) -> pd.DataFrame:
    """Fractions of metrics as percent with two digits."""
    shown = table.copy()
    for name in (*METRICS, FPR95_OPENOOD, "overlap"):
        if name in shown:
            shown[name] = [f"{100 * value:.2f} %" for value in shown[name]]
    return shown


def _plain(section: Section) -> dict[str, str | None]:
    """A section as HTML fragments."""
    figure, table, image = section.figure, section.table, section.image
    return {
        "heading": section.heading,
        "text": section.text,
        "figure": None if figure is None else figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False}),
        "table": None
        if table is None
        else table.to_html(index=False, border=0, escape=True, float_format=lambda value: f"{value:.3f}", na_rep=""),
        "image": None if image is None else base64.b64encode(image).decode(),
    }


def _page() -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)
    return environment.get_template("report.html.jinja")
