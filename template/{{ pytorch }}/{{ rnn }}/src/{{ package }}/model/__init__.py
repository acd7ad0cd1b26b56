"""The recurrent forecaster: `cells.py` remember, `network.py` and `heads.py` forecast a step, `rollout.py` many.

`pieces.py` cuts long windows for training, and `reach.py` asks how far back the gradient goes.
"""

from . import pieces
from .cells import state_shape
from .heads import HEADS
from .network import Forecaster, flops, inputs
from .reach import reach, vanishing
from .rollout import free_run, network, sampled, teacher_forced

__all__ = [
    "HEADS",
    "Forecaster",
    "flops",
    "free_run",
    "inputs",
    "network",
    "pieces",
    "reach",
    "sampled",
    "state_shape",
    "teacher_forced",
    "vanishing",
]
