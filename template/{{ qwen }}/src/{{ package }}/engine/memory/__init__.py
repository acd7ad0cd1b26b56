"""The GPU memory of a training, estimated without a GPU and without weights, and what makes it fit."""
