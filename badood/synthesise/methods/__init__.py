"""Synthesisers, one a file; importing this package's modules registers them."""
