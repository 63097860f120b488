"""Trained models on this computer: what they are, which grid they are of, and whether they may be used."""

from aurigrid.registry.card import Card
from aurigrid.registry.folder import entries, models_folder, named, register, remove

__all__ = ["Card", "entries", "models_folder", "named", "register", "remove"]
