"""What `ablate` switches off, one at a time: a name, and the fields that it changes. Put your model's parts in."""

import math
from typing import Any

ABLATIONS: dict[str, dict[str, Any]] = {
    "no dropout": {"model.dropout": 0.0},
    "no warm-up": {"train.warmup": 0},
    "no weight decay": {"train.weight_decay": 0.0},
    "no clipping": {"train.clip": math.inf},
    "constant learning rate": {"train.final_learning_rate": 1.0},
}
