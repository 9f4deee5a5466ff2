"""What every stage stands on: errors, artefacts, compute, randomness, training, weights, registries, progress."""
