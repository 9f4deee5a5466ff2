"""MiniWorld: rendered images of known objects whose true semantic and covariate shift is known. See docs/miniworld.md."""
