"""An agent: a language model that is fine-tuned to play a task, and evaluated on it. `commands` has what it can do."""
