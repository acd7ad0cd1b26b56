"""The model: `titans_mag` is the backbone, `trm_wrapper` calls it again and again, `act_head` says when to stop.

`full_model` puts them together, and is what training, prediction and tests use.
"""

from .full_model import FullModel, Prediction
from .trm_wrapper import Latent, Recursion

__all__ = ["FullModel", "Latent", "Prediction", "Recursion"]
