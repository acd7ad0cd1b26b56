"""The recurrent forecaster: `cells.py` remembers, `network.py` makes forecasts of one step, `rollout.py` of many."""

from .cells import state_shape
from .network import Forecaster, flops, inputs
from .rollout import free_run, network, teacher_forced

__all__ = ["Forecaster", "flops", "free_run", "inputs", "network", "state_shape", "teacher_forced"]
