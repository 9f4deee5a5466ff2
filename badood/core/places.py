"""Where lies what is no code: weights, the dashboard, results. In a checkout beside the package, in an installed one inside it."""

from pathlib import Path

from badood.core.errors import BadInput

_PACKAGE = Path(__file__).parents[1]


def _top(package: Path) -> Path:
    """The folder that holds `assets` and `app`: `_shipped` of an installed package (see setup.py), else the checkout."""
    shipped = package / "_shipped"
    return shipped if shipped.is_dir() else package.parent


TOP = _top(_PACKAGE)
"""Holds `assets` and `app`; first on the import path of the dashboard's process, and of no other."""


def checkout() -> Path | None:
    """The checkout that this library runs from; None = it is installed by itself."""
    return TOP if _PACKAGE.parent == TOP and (TOP / "pyproject.toml").is_file() else None


def assets() -> Path:
    """The folder of the weights that come with the library."""
    return TOP / "assets"


def dashboard() -> Path:
    """The script that `streamlit run` takes."""
    return TOP / "app" / "main.py"


def placed(path: Path) -> Path:
    """Where a relative path of the settings leads to: of a checkout, or of what is shipped; else it starts at the working folder."""
    own = TOP / path
    return own if path.is_absolute() or checkout() or own.exists() else Path.cwd() / path


def results() -> Path:
    """The folder of what benchmarks write, which the README quotes.

    Raises:
        BadInput: this is no checkout.
    """
    top = checkout()
    if top is None:
        raise BadInput(
            f"this writes to the folder results of a checkout, and badood is installed in {_PACKAGE}; clone the repository and give the "
            "command there, or, in Python, name a folder."
        )
    return top / "results"
