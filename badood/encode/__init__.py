"""Images -> z0: a MoCo-v3 encoder with projection head, its training, and the standardised representation. Paper sec. 3.1."""
