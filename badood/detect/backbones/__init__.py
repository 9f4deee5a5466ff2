"""Networks that see an image as features: one family a file, found by being here."""
