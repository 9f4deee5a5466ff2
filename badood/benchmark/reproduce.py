"""`badood benchmark NAME`: a table or figure of the paper on a preset, over several seeds, row by row.

What a results file holds of the same settings and weights is not measured again, so that a killed benchmark goes on where it was.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from badood.benchmark.orderings import orderings
from badood.benchmark.pages import flat, markdown, quoted
from badood.benchmark.seeded import Seeded
from badood.benchmark.seeds import experiment_key, lean, records
from badood.benchmark.table import PAPERS_SCALE, Table, table
from badood.benchmark.wanted import Wanted
from badood.config import Config
from badood.core.artefacts import atomic_file, read_json, write_json
from badood.core.errors import BadInput
from badood.core.places import results
from badood.core.progress import Progress, Silent
from badood.pipeline.preflight import preflight
from badood.pipeline.runs import Run, start_run

log = logging.getLogger(__name__)


def reproduce(name: str, wanted: Wanted, progress: Progress | None = None, folder: Path | None = None) -> Path:
    """Measure a table or figure, and write it after every part and seed.

    A part whose files are missing is left out with a message, and the others are made; so is an OOD set.

    Args:
        name: of the registry. folder: where results go; none = the checkout's results.

    Returns:
        The Markdown file; beside it lie .csv (the summary), .json (a row a seed and row) and a picture.

    Raises:
        BadConfig: there is no such table; names those there are.
        BadInput: no part of it can be measured.
    """
    made: Table = table.make(name)
    cfg = lean(wanted.config())
    preflight(cfg)
    if lacking_all := made.needs(cfg, wanted):
        raise BadInput(f"{name} needs files: {lacking_all}")
    path = (folder or results()) / ("-".join(filter(None, (name, cfg.preset, wanted.label))) + ".md")
    left_out = made.missing(cfg, wanted)
    parts = {part: own for part, own in made.parts(cfg, wanted).items() if _can_begin(part, own, left_out)}
    keys = {part: experiment_key(own) for part, own in parts.items()}
    rows = _kept(path.with_suffix(".json"), keys)
    have = set() if rows.empty else set(zip(rows["part"], rows["seed"], strict=True))
    lacking = [(part, seed) for seed in range(min(wanted.seeds, made.most_seeds)) for part in parts if (part, seed) not in have]
    if lacking:
        base = start_run(cfg, f"benchmark-{cfg.preset}", progress)
        with base.at_work():
            for done, (part, seed) in enumerate(lacking):
                (progress or Silent()).update(name, done, len(lacking))
                more = _measured(made, base, parts[part], part, seed, left_out)
                rows = pd.concat([rows, more.assign(key=keys[part])], ignore_index=True)
                if not rows.empty:
                    write(name, made, wanted, cfg, rows, left_out, path)
    if rows.empty:
        raise BadInput(f"nothing of {name} could be measured: {'; '.join(f'{part}: {why}' for part, why in left_out.items())}")
    return write(name, made, wanted, cfg, rows, left_out, path)


def reproduce_all(wanted: Wanted, progress: Progress | None = None, folder: Path | None = None) -> dict[str, Path]:
    """Every table and figure, one after another, and the page that says which of the paper's orderings hold; one that cannot be made is left out with a message.

    Args:
        folder: as for `reproduce`.

    Returns:
        The pages by name.

    Raises:
        BadInput: none can be made.
    """
    preflight(lean(wanted.config()))
    made: dict[str, Path] = {}
    for name in table:
        try:
            made[name] = reproduce(name, wanted, progress, folder)
        except BadInput as error:
            log.warning("%s is left out: %s", name, error)
    if not made:
        raise BadInput("no table or figure could be made; each said why.")
    return made | {"orderings": orderings(folder or results(), wanted.config().preset, wanted.label)}


def _kept(path: Path, keys: Mapping[str, str]) -> pd.DataFrame:
    """The rows of a results file whose part has the same settings and weights now.

    Raises:
        BadInput: it is no results file.
    """
    content = read_json(path) if path.is_file() else {"rows": []}
    if not isinstance(content, dict) or not isinstance(content.get("rows"), list):
        raise BadInput(f"{path} holds no benchmark's results; move it away.")
    return pd.DataFrame([row for row in content["rows"] if keys.get(row.get("part")) == row.get("key")])


def _can_begin(part: str, cfg: Config, left_out: dict[str, str]) -> bool:
    try:
        preflight(cfg)
    except BadInput as error:
        _leave_out(part, error, left_out)
        return False
    return True


def _measured(made: Table, base: Run, cfg: Config, part: str, seed: int, left_out: dict[str, str]) -> pd.DataFrame:
    try:
        rows = made.measure(Seeded.of(base, cfg, seed), part)
    except BadInput as error:
        _leave_out(f"{part or 'all'}, seed {seed}", error, left_out)
        return pd.DataFrame()
    return pd.DataFrame([{"part": part, "seed": seed, **row} for row in rows])


def _leave_out(part: str, error: BadInput, left_out: dict[str, str]) -> None:
    log.warning("%s is left out: %s", part or "all", error)
    left_out[part or "all"] = str(error)


def write(name: str, made: Table, wanted: Wanted, cfg: Config, rows: pd.DataFrame, left_out: Mapping[str, str], path: Path) -> Path:
    """Write rows as JSON, the summary as CSV and as a page, and the picture; returns the page.

    Args:
        rows: of all seeds: part, its key, seed, row, figures. left_out: by name why a part or OOD set is not in it.
    """
    rows = rows.sort_values("seed", kind="stable")
    write_json(path.with_suffix(".json"), {"command": wanted.command(name), "rows": records(rows)})
    with atomic_file(path.with_suffix(".csv")) as part:
        flat(made, rows).to_csv(part, index=False)
    picture = path.with_suffix(made.picture)
    seeds = rows["seed"].nunique()
    made.draw(rows, picture, f"{made.title}: {cfg.preset}, {seeds} seed{'s' if seeds > 1 else ''}")
    text = _page(name, made, wanted, cfg, rows, left_out, picture.name)
    with atomic_file(path) as part:
        part.write_text(text)
    return path


def _page(name: str, made: Table, wanted: Wanted, cfg: Config, rows: pd.DataFrame, left_out: Mapping[str, str], picture: str) -> str:
    seeds = ", ".join(str(seed) for seed in sorted(rows["seed"].unique()))
    blocks = [
        f"# {made.title}",
        f"{made.source}. Preset {cfg.preset}, detector seeds {seeds}: `{wanted.command(name)}`",
        f"{made.told} {_intervals(made, rows)}".strip(),
        markdown(made, rows).rstrip(),
    ]
    if left_out:
        blocks.append("\n".join(["Left out:", "", *(f"- {part}: {why}" for part, why in left_out.items())]))
    blocks.append(f"![{made.title}]({picture})")
    if made.paper:
        blocks += ["## The paper's own figures", PAPERS_SCALE, quoted(made).rstrip()]
    return "\n\n".join(blocks) + "\n"


def _intervals(made: Table, rows: pd.DataFrame) -> str:
    """What differences are worth, where the table has any."""
    if not any(column.compared for column in made.columns):
        return ""
    if rows["seed"].nunique() == 1:
        return "One seed: no interval, so nothing can be told apart."
    return (
        "Differences are paired by seed, with their 95 % interval in brackets. Of twenty comparisons of equals, one is expected to look like a "
        "difference."
    )
