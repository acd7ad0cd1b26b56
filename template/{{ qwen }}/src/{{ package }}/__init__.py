"""Fine-tuning of a Qwen model for an agent's task; the commands are in `commands`."""

import os

# Read when huggingface_hub is loaded: TRL would report every trainer that is made.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
