"""A network that predicts a mask for each class, as the mask head of a detector does."""

from __future__ import annotations

import torch
from torch import nn

from pruning_experiment.data import BOX, CLASS_NAMES, MARGIN

__all__ = ["MaskNet"]

WIDTH = 16


class MaskNet(nn.Module):
    """An encoder of three convolutions, a decoder of two, and one connection across."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, WIDTH, 3, stride=2, padding=1)
        self.coarse = nn.Sequential(
            nn.Conv2d(WIDTH, 2 * WIDTH, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * WIDTH, 2 * WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
        )
        self.masks = nn.Sequential(
            nn.Conv2d(3 * WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(WIDTH, 4 * len(CLASS_NAMES), 1),
            nn.PixelShuffle(2),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits [N, C, BOX, BOX] over the boxes of crops [N, 3, CROP, CROP]."""
        fine = self.fine(pixels.contiguous(memory_format=torch.channels_last)).relu()  # faster, nothing else
        logits: torch.Tensor = self.masks(torch.cat([fine, self.coarse(fine)], 1))
        return logits[:, :, MARGIN : MARGIN + BOX, MARGIN : MARGIN + BOX]

    def of_class(self, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Logits [N, BOX, BOX] of the channel of each instance's own class."""
        logits: torch.Tensor = self(pixels)
        return logits[torch.arange(len(labels)), labels]
