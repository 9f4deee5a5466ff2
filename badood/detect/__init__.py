"""Step 5: images -> anomaly. The energy-regularised detector and the post-hoc scorers."""
