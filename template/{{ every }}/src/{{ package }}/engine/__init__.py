"""What the template brings and an update improves; `task.py` is the interface that the owner's task fills in."""
