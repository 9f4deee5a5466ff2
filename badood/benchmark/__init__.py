"""The figures: what the shipped models reach, how fast the stages are, how closely they follow the originals, the filter experiment."""
