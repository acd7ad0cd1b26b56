"""Speed and memory: what a preset takes on this machine, and what bounds it."""
