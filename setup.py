"""What pyproject cannot say: the dashboard and the weights lie beside the package here, and inside it once it is installed.

A top-level package called `app` would meet other people's. `badood.core.places` finds both, wherever they are.
"""

from setuptools import find_packages, setup

INSIDE = "badood._shipped"

setup(
    packages=[
        *find_packages(include=["badood", "badood.*"]),
        *(f"{INSIDE}.{name}" for name in find_packages(include=["app", "app.*"])),
        f"{INSIDE}.assets.weights",
        f"{INSIDE}.assets.example",
    ],
    package_dir={
        f"{INSIDE}.app": "app",
        f"{INSIDE}.assets.weights": "assets/weights",
        f"{INSIDE}.assets.example": "assets/example",
    },
)
