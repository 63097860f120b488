"""Data sets of exact answers, training, calibration: what makes the models that `aurigrid.registry` keeps.

Only `aurigrid.learn.mlp` imports torch.
"""

from aurigrid.learn.dataset import Dataset, make_dataset
from aurigrid.learn.recipe import Recipe

__all__ = ["Dataset", "Recipe", "make_dataset"]
