"""Training on some of the images, and what a trained network is worth."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from pruning_experiment.data import Crops
from pruning_experiment.model import MaskNet
from pruning_experiment.settings import Settings

__all__ = ["mask_iou", "mask_logits", "train"]

CHUNK = 128
"""Instances that are predicted at once; memory only."""


def train(
    crops: Crops,
    image_ids: Collection[int],
    settings: Settings,
    seed: int,
    after_epoch: Callable[[int, MaskNet], None] | None = None,
) -> MaskNet:
    """Train a new network on the instances of these images.

    A step takes ``settings.batch`` images with all their instances, as in training a detector. The epochs are
    the same for all subsets, so fewer images are fewer steps.

    Parameters
    ----------
    crops : Crops
        Of all training images.
    image_ids : collection of int
        The images to train on.
    settings : Settings
        Epochs, images in a step, learning rate.
    seed : int
        Of the network's first weights and of the order of images.
    after_epoch : callable, optional
        Called with the epoch, from 1, and the network.
    """
    torch.manual_seed(seed)
    net = MaskNet()
    rows = [torch.from_numpy(np.flatnonzero(crops.image_ids == image)) for image in sorted(image_ids)]
    steps = settings.epochs * -(-len(rows) // settings.batch)
    optimiser = torch.optim.Adam(net.parameters(), settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(1, settings.epochs + 1):
        for batch in torch.randperm(len(rows)).split(settings.batch):
            chosen = torch.cat([rows[i] for i in batch.tolist()])
            logits = net.of_class(crops.pixels[chosen], crops.labels[chosen])
            loss = binary_cross_entropy_with_logits(logits, crops.targets[chosen].float())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        if after_epoch is not None:
            after_epoch(epoch, net)
    return net


def mask_logits(net: MaskNet, crops: Crops) -> torch.Tensor:
    """Logits [N, BOX, BOX] of each instance, of the channel of its class."""
    parts = zip(crops.pixels.split(CHUNK), crops.labels.split(CHUNK), strict=True)
    with torch.no_grad():
        return torch.cat([net.of_class(pixels, labels) for pixels, labels in parts])


def mask_iou(net: MaskNet, crops: Crops) -> NDArray[np.float64]:
    """Intersection over union of each instance's mask [N], over its box."""
    predicted, targets = mask_logits(net, crops) > 0, crops.targets
    intersection = (predicted & targets).sum((1, 2))
    union = (predicted | targets).sum((1, 2))
    iou: NDArray[np.float64] = (intersection.double() / union).numpy()
    return iou
