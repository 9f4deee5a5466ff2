"""`python -m badood`."""

from badood.cli import main

main()
