"""One page a file; each has a function `page`, which `main` enters into the menu."""
