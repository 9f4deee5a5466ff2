"""The path itself: `models` trains the five models, `method` runs the method on them. Read `method.run_pipeline` first."""
