"""`model.augmentation` in PyTorch, where it can be part of a CUDA graph."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812 - PyTorch's own habit

SIDE = 28


def augment(flow: torch.Tensor, photo_share: torch.Tensor, erased_share: torch.Tensor) -> torch.Tensor:
    """(n, 1, 28, 28) in 0..255 to the same: mirrored, moved, some like photos, some with a patch erased."""
    dice = Dice(flow)
    photo = dice.uniform(0, 1) < photo_share
    flow = _placed(flow, dice, photo)
    flow = _photographed(flow, dice, photo)
    flow = _erased(flow, dice, erased_share)
    return flow.round().clamp(0, 255)


class Dice:
    """Random numbers for the images of a batch."""

    def __init__(self, flow: torch.Tensor) -> None:
        self.count, self.device = len(flow), flow.device

    def uniform(self, low: float, high: float) -> torch.Tensor:
        """(n,) numbers between `low` and `high`."""
        return torch.rand(self.count, device=self.device) * (high - low) + low

    def column(self, low: float, high: float) -> torch.Tensor:
        """(n, 1, 1, 1) numbers between `low` and `high`."""
        return column(self.uniform(low, high))

    def noise(self) -> torch.Tensor:
        """Draw normal noise, (n, 1, 28, 28)."""
        return torch.randn(self.count, 1, SIDE, SIDE, device=self.device)


def column(values: torch.Tensor) -> torch.Tensor:
    """(n,) to (n, 1, 1, 1): one number for all pixels of an image."""
    return values[:, None, None, None]


def _placed(flow: torch.Tensor, dice: Dice, photo: torch.Tensor) -> torch.Tensor:
    loose = photo.float()
    angle = loose * dice.uniform(-0.17, 0.17)
    scale = torch.exp(loose * dice.uniform(-0.1, 0.2))
    aspect = torch.exp(loose * dice.uniform(-0.1, 0.1))
    shear = loose * dice.uniform(-0.08, 0.08)
    mirror = 1 - 2 * (dice.uniform(0, 1) < 0.5).float()
    a, b = scale * aspect * torch.cos(angle), -scale * torch.sin(angle) + shear
    c, d = scale * torch.sin(angle), scale / aspect * torch.cos(angle)
    right, down = torch.round(dice.uniform(-2.49, 2.49)), torch.round(dice.uniform(-2.49, 2.49))
    rows = torch.stack([mirror * a, mirror * b, right * 2 / SIDE, c, d, down * 2 / SIDE], 1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(flow.shape), align_corners=False)
    return F.grid_sample(flow, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _photographed(flow: torch.Tensor, dice: Dice, photo: torch.Tensor) -> torch.Tensor:
    def some(probability: float) -> torch.Tensor:
        return column(photo & (dice.uniform(0, 1) < probability))

    def largest(values: torch.Tensor) -> torch.Tensor:
        return F.max_pool2d(values, 3, 1, 1)

    grown, shrunk = largest(flow), -largest(-flow)
    garment = (-largest(-grown) > 8).float()
    flow = torch.where(some(0.15), garment * (dice.column(160, 255) - flow * dice.column(0.4, 0.9)), flow)
    flow = torch.where(some(0.08), shrunk, flow)
    flow = torch.where(some(0.08), grown, flow)
    level = flow.clamp(min=0) / 255
    flow = torch.where(some(0.4), 255 * level ** torch.exp(dice.column(-0.6, 0.6)), flow)
    flow = torch.where(some(0.4), garment * dice.column(0, 60) + flow * dice.column(0.3, 0.9), flow)
    axis = torch.linspace(-1, 1, SIDE, device=flow.device)
    slope = dice.column(-0.3, 0.3) * axis[None, None, :, None]
    slope = slope + dice.column(-0.3, 0.3) * axis[None, None, None, :]
    flow = torch.where(some(0.3), flow * (1 + slope), flow)
    smooth = F.avg_pool2d(flow, 3, 1, 1, count_include_pad=False)
    amount = torch.where(column(dice.uniform(0, 1) < 0.5), dice.column(-0.8, -0.2), dice.column(0.2, 0.8))
    flow = torch.where(some(0.4), flow + amount * (smooth - flow), flow)
    grain = dice.column(2, 20) * dice.noise() * (0.1 + 0.9 * garment)
    flow = torch.where(some(0.25), flow + grain, flow)
    uneven = torch.maximum(flow, dice.column(2, 40) * (1 - garment) * (1 + slope))
    flow = torch.where(some(0.2), uneven, flow)
    return torch.where(some(0.35), torch.maximum(flow, dice.column(0, 40)), flow)


def _erased(flow: torch.Tensor, dice: Dice, share: torch.Tensor) -> torch.Tensor:
    half = torch.sqrt(dice.uniform(0.02, 0.35)) * SIDE / 2
    stretch = torch.exp(dice.uniform(-0.8, 0.8) / 2)
    row, place = dice.uniform(0, SIDE), dice.uniform(0, SIDE)
    axis = torch.arange(SIDE, device=flow.device, dtype=torch.float32)[None]
    rows = (axis - row[:, None]).abs() < (half * stretch)[:, None]
    columns = (axis - place[:, None]).abs() < (half / stretch)[:, None]
    here = (dice.uniform(0, 1) < share)[:, None, None] & rows[:, :, None] & columns[:, None]
    filling = torch.where(column(dice.uniform(0, 1) < 0.5), 127 + 70 * dice.noise(), dice.column(0, 255))
    return torch.where(here[:, None], filling, flow)
