"""What the experiment does how often."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "Settings"]


@dataclass(frozen=True)
class Settings:
    """All numbers of the protocol.

    Attributes
    ----------
    train_images, test_images : int
        Images that are drawn, with seeds 0 and 1. Some have no instance, and are not used.
    rates : tuple of float
        Shares of the training images that are dropped.
    seeds : tuple of int
        One repetition of everything for each: recorded training, scores, subsets, trainings.
    epochs : int
        Of every training, on all images and on subsets.
    batch : int
        Images in a step of the optimiser.
    learning_rate : float
        At the beginning; it falls to 0 as a cosine.
    """

    train_images: int = 320
    test_images: int = 320
    rates: tuple[float, ...] = (0.3, 0.5, 0.7, 0.9)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: int = 12
    batch: int = 4
    learning_rate: float = 8e-3


FULL = Settings()
QUICK = Settings(train_images=20, test_images=8, rates=(0.5, 0.8), seeds=(0, 1), epochs=2)
