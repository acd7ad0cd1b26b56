"""An agent: a language model that is fine-tuned to play a task, and evaluated on it. engine/cli/ has the commands."""

import logging
import os

# Read when huggingface_hub is loaded: TRL would report every trainer that is made.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# It warns on a CPU that a faster kernel is not installed, also where nothing is in 4 bits.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
