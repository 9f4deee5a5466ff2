"""Generated parts of README and docs: CLI help and measured tables. `python docs/generate.py [--check]`.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import re
import sys
from pathlib import Path
from typing import Any

import typer

from badood.config import CHECKOUT, Config
from badood.core.artefacts import atomic_file

PART = re.compile(r"(<!-- generated: (?P<name>[\w./-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PAGES = ("README.md", "docs/command-line.md", "docs/settings.md", "results/README.md")


def generated(name: str) -> str:
    """Text of a part: "cli", "settings", or a file of results/."""
    if name == "cli":
        return command_line()
    if name == "settings":
        return settings_table()
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
    options = [
        f"- `{' '.join(parameter.opts)}` {(getattr(parameter, 'help', None) or '').strip()}".rstrip()
        for parameter in command.get_params(context)
    ]
    body = "\n".join(line for line in options if not line.startswith("- `--help`"))
    return [f"### `{' '.join(names)}`\n\n{(command.help or '').strip()}\n\n{body}\n\n"]


def settings_table() -> str:
    """Every setting with its type and sentence, by section."""
    parts = []
    for name, field in Config.model_fields.items():
        model: Any = field.annotation
        if not hasattr(model, "model_fields"):
            parts.append(f"- `{name}`: {field.description or ''}\n")
            continue
        rows = "\n".join(f"| `{name}.{key}` | {_default(entry)} | {entry.description or ''} |" for key, entry in model.model_fields.items())
        parts.append(f"\n### {name}\n\n{(model.__doc__ or '').strip()}\n\n| setting | default | meaning |\n| --- | --- | --- |\n{rows}\n")
    return "".join(parts)


def _default(field: object) -> str:
    default = getattr(field, "default", None)
    return "in the preset" if "Undefined" in type(default).__name__ else f"`{default}`"


def main() -> None:
    """Rewrite the pages; with --check only say which are stale."""
    stale = []
    for page in map(Path, PAGES):
        path = CHECKOUT / page
        if not path.exists():
            continue
        text = path.read_text()
        fresh = PART.sub(lambda found: found[1] + generated(found["name"]) + found[3], text)
        if fresh != text:
            stale.append(str(page))
            if "--check" not in sys.argv:
                with atomic_file(path) as part:
                    part.write_text(fresh)
    if stale and "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}; run `make docs`", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
