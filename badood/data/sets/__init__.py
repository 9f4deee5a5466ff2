"""The registered data sets, one a file."""
