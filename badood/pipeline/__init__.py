"""The path itself: `path.py` joins the stages, `train.py` trains the models that they use. Read `path.run` first."""
