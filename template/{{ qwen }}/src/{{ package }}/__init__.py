"""An agent: a language model that is fine-tuned to play a task, and evaluated on it. `commands` has what it can do."""

import os

# Read when huggingface_hub is loaded: TRL would report every trainer that is made.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
