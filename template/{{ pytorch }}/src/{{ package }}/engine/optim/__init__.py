"""Optimizers, and how the learning rate changes over a run: what `Task.optimizer` and `Task.schedule` return."""
