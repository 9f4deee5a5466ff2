"""The path itself: `path.py` joins the stages, `train.py` trains the five models that they use. Read `path.run` first."""
