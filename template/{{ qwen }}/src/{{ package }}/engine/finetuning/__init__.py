"""What every method of fine-tuning shares: trajectories, labels, the run, its checkpoints, and what happens beside."""
