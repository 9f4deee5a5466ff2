"""Long work outside the caller's process: a queue, workers that start a child process a job, and a companion for quick answers."""
