"""Training: the trainer, checkpoints, seeds and order, devices and processes, and checks before it."""
