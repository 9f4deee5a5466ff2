"""Generated parts of README and docs, and the cards of the models: CLI help, settings, plug-ins and measured tables. `python docs/generate.py [--check]`.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import inspect
import re
import sys
import typing
from collections import Counter
from collections.abc import Iterator
from typing import Any

import typer
from model_cards import cards, listed

from badood.config import CHECKOUT, Config, Settings
from badood.core.artefacts import atomic_file

PART = re.compile(r"(<!-- generated: (?P<name>[\w./-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PAGES = (
    "README.md",
    "docs/command-line.md",
    "docs/settings.md",
    "docs/ood-sets.md",
    "docs/presets.md",
    "docs/paper-scale.md",
    "results/README.md",
    "results/older-trials.md",
)


def generated(name: str) -> str:
    """Text of a part: "cli", "settings", "plug-ins", "ood-sets", "openood", "models", or a file of results/."""
    made = {
        "cli": command_line,
        "settings": settings_table,
        "plug-ins": plug_ins,
        "ood-sets": ood_sets,
        "openood": protocols,
        "models": listed,
    }
    if name in made:
        return made[name]()
    path = CHECKOUT / "results" / name
    return path.read_text() if path.exists() else f"*not measured yet: results/{name} does not exist*\n"


def command_line() -> str:
    """Help of every command."""
    from badood.cli import app

    root = typer.main.get_command(app)
    return "".join(_help(root, ["badood"]))


def _help(command: Any, names: list[str]) -> list[str]:
    """A command of typer's, or all commands of a group."""
    if hasattr(command, "commands"):
        return [text for name in sorted(command.commands) for text in _help(command.commands[name], [*names, name])]
    context = typer.Context(command, info_name=" ".join(names), terminal_width=100)
    parameters = [parameter for parameter in command.get_params(context) if "--help" not in parameter.opts]
    arguments = [_argument(parameter) for parameter in parameters if parameter.param_type_name == "argument"]
    lines = [f"- `{_called(parameter)}` {(getattr(parameter, 'help', None) or '').strip()}".rstrip() for parameter in parameters]
    body = "\n".join(lines)
    return [f"### `{' '.join([*names, *arguments])}`\n\n{(command.help or '').strip()}\n\n{body}\n\n"]


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name).upper()
    return f"{name} ..." if parameter.nargs == -1 else name


def _called(parameter: Any) -> str:
    return _argument(parameter) if parameter.param_type_name == "argument" else " ".join([*parameter.opts, *parameter.secondary_opts])


def settings_table() -> str:
    """Every setting with its default and sentence, by section; what several settings are, such as a source of images, once."""
    of_all = [model for field in Config.model_fields.values() for model in _models(field.annotation)]
    uses = Counter(model for section in of_all for field in section.model_fields.values() for model in _models(field.annotation))
    shared = [model for model, count in uses.items() if count > 1]
    parts = []
    for name, field in Config.model_fields.items():
        models = _models(field.annotation)
        if not models:
            parts.append(f"- `{name}`: {field.description or ''}\n")
            continue
        place = f"{name}.N" if _is_list(field.annotation) else name
        several = f" A list: `{name}.0` is the first." if _is_list(field.annotation) else ""
        parts.append(_section(name, models[0], several, _rows(place, models[0], shared)))
    for model in shared:
        users = [
            f"`{name}.{key}`"
            for name, field in Config.model_fields.items()
            for section in _models(field.annotation)
            for key, entry in section.model_fields.items()
            if model in _models(entry.annotation)
        ]
        parts.append(_section(_words(model), model, f" So are {', '.join(users)}.", _rows("", model, shared)))
    return "".join(parts)


def _section(name: str, model: type[Settings], told: str, rows: Iterator[str]) -> str:
    table = "\n".join(rows)
    return f"\n### {name}\n\n{(model.__doc__ or '').strip()}{told}\n\n| setting | default | meaning |\n| --- | --- | --- |\n{table}\n"


def _rows(place: str, model: type[Settings], shared: list[type[Settings]]) -> Iterator[str]:
    for key, entry in model.model_fields.items():
        name, inside = f"{place}.{key}".lstrip("."), _models(entry.annotation)
        if inside and inside[0] not in shared:
            yield from _rows(f"{name}.NAME" if typing.get_origin(entry.annotation) is dict else name, inside[0], shared)
            continue
        kind = (
            f" {'Each a' if _is_list(entry.annotation) else 'A'} [{_words(inside[0])}](#{_words(inside[0]).replace(' ', '-')})."
            if inside
            else ""
        )
        yield f"| `{name}` | {_default(entry)} | {entry.description or ''}{kind} |"


def _words(model: type[Settings]) -> str:
    """Its name in small words: NamedSource -> named source."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).lower()


def _models(annotation: Any) -> list[type[Settings]]:
    """Models of settings in a type: itself, or what a list or an optional field holds."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) is list


def _default(field: Any) -> str:
    if field.is_required():
        return "in the preset"
    default = field.get_default(call_default_factory=True)
    several = isinstance(default, list) and any(isinstance(each, Settings) for each in default)
    return f"`{[each.model_dump(exclude_defaults=True) for each in default] if several else default}`"


def plug_ins() -> str:
    """Every registered plug-in with its parameters, by kind."""
    from badood.calibrate import calibrator
    from badood.data import dataset
    from badood.detect.backbones.base import backbone
    from badood.detect.scorers import scorer
    from badood.outliers import outlier_source
    from badood.synthesise import synthesiser

    kinds = {
        "Data sets (`dataset` of a source)": dataset,
        "Synthesisers (`synthesise.method`)": synthesiser,
        "Outlier sources (`outliers.N.source`)": outlier_source,
        "Families of backbones (`detector.backbone` takes the names of each)": backbone,
        "Scorers (`evaluate.scorers`)": scorer,
        "Calibrators (`calibrate.method`)": calibrator,
    }
    return "".join(
        f"\n### {kind}\n\n| name | what | parameters |\n| --- | --- | --- |\n"
        + "".join(f"| `{name}` | {_first_sentence(registry[name])} | {_parameters(registry[name])} |\n" for name in registry)
        for kind, registry in kinds.items()
    )


def _first_sentence(entry: Any) -> str:
    text = " ".join((inspect.getdoc(entry) or "").split("\n\n")[0].split())
    return text.replace("|", "\\|")


def _parameters(entry: Any) -> str:
    if "of" in vars(entry):  # a source that makes itself from the settings of a stage
        return "settings of [synthesise](#synthesise)"
    given = () if inspect.isclass(entry) else ("path", "split")  # a data set has these from its source
    named = [each for each in inspect.signature(entry).parameters.values() if each.name not in given]
    return ", ".join(f"`{each.name}`" + ("" if each.default is each.empty else f" = {each.default!r}") for each in named)


def ood_sets() -> str:
    """Every published data set: what it shows, where it is looked for, from where it is had."""
    from badood.data import files
    from badood.data.published import Published

    rows = [
        f"| `{each.name}` | {each.what} | {' or '.join(f'`{place}`' for place in each.expected('test'))} | {each.images:,} | {each.size} | {each.page} |\n"
        for each in files.values()
        if isinstance(each, Published)
    ]
    return "".join(["\n| `dataset` | what | the path holds | images | size | from |\n| --- | --- | --- | --- | --- | --- |\n", *rows])


def protocols() -> str:
    """OpenOOD's protocols."""
    from badood.data.openood import PROTOCOLS

    rows = [
        f"| `{name}` | {each.classes} | {', '.join(each.near)} | {', '.join(each.far)} | {', '.join(each.shifted) or 'none'} |\n"
        for name, each in PROTOCOLS.items()
    ]
    return "".join(["\n| ID | classes | near OOD | far OOD | covariate-shifted ID |\n| --- | --- | --- | --- | --- |\n", *rows])


def main() -> None:
    """Rewrite the pages and the models' cards; with --check only say which are stale."""
    pages = [path for path in (CHECKOUT / page for page in PAGES) if path.exists()]
    wanted = {path: PART.sub(lambda found: found[1] + generated(found["name"]) + found[3], path.read_text()) for path in pages} | cards()
    stale = []
    for path, fresh in wanted.items():
        if path.exists() and path.read_text() == fresh:
            continue
        stale.append(str(path.relative_to(CHECKOUT)))
        if "--check" not in sys.argv:
            with atomic_file(path) as part:
                part.write_text(fresh)
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run `make docs`", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
