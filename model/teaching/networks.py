"""The networks in PyTorch: the students as `model.network` builds them, and their wide teachers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own habit

CLASSES = 10


class Unit(nn.Module):  # type: ignore[misc] # torch has no types here
    """Convolution padded as TensorFlow pads it, batch normalisation, ReLU."""

    def __init__(self, inputs: int, filters: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, filters, kernel, stride, bias=False)
        self.norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.05)
        nn.init.kaiming_normal_(self.conv.weight)
        missing = kernel - stride
        self.pad = (missing // 2, missing - missing // 2) * 2

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """Answer (n, channels, height, width)."""
        return F.relu(self.norm(self.conv(F.pad(flow, self.pad))))


class Student(nn.Module):  # type: ignore[misc] # torch has no types here
    """`model.network.build_network` in PyTorch; the layers have the same names."""

    def __init__(self, widths: tuple[int, int, int], blocks: tuple[int, int]) -> None:
        super().__init__()
        self.units = nn.ModuleDict()
        channels = widths[0]
        if channels:
            self.units["stem"] = Unit(1, channels)
        self.stages: list[tuple[str, str, int]] = []
        for stage, filters, count in zip(("half", "quarter"), widths[1:], blocks, strict=True):
            down = f"{stage}_down" if channels else "stem"
            self.units[down] = Unit(channels or 1, filters, 3 if channels else 5, 2)
            channels = filters
            for block in range(count):
                for which in ("first", "second"):
                    self.units[f"{stage}_{block}_{which}"] = Unit(filters, filters)
            self.stages.append((stage, down, count))
        self.logits = nn.Linear(2 * channels, CLASSES)

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """Answer (n, channels, height, width)."""
        if self.stages[0][1] != "stem":
            flow = self.units["stem"](flow)
        for stage, down, count in self.stages:
            flow = self.units[down](flow)
            for block in range(count):
                inner = self.units[f"{stage}_{block}_first"](flow)
                flow = flow + self.units[f"{stage}_{block}_second"](inner)
        features = torch.cat([flow.mean((2, 3)), flow.amax((2, 3))], 1) / 8
        return self.logits(features)

    def named_weights(self) -> dict[str, np.ndarray]:
        """Weights by the names of Keras' layers, in Keras' order of axes."""
        found = {}
        for name, unit in self.units.items():
            norm = unit.norm
            found[name] = unit.conv.weight.permute(2, 3, 1, 0)
            for part, value in zip(
                ("gamma", "beta", "mean", "variance"),
                (norm.weight, norm.bias, norm.running_mean, norm.running_var),
                strict=True,
            ):
                found[f"{name}_norm/{part}"] = value
        found["logits"], found["logits/bias"] = self.logits.weight.T, self.logits.bias
        return {name: value.detach().float().cpu().numpy() for name, value in found.items()}


class WideBlock(nn.Module):  # type: ignore[misc] # torch has no types here
    """Two convolutions with their normalisations before them, and a way around."""

    def __init__(self, inputs: int, filters: int, stride: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(inputs), nn.BatchNorm2d(filters)])
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(inputs, filters, 3, stride, 1, bias=False),
                nn.Conv2d(filters, filters, 3, 1, 1, bias=False),
            ]
        )
        self.around = (
            nn.Conv2d(inputs, filters, 1, stride, bias=False) if inputs != filters else nn.Identity()
        )

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """Answer (n, channels, height, width)."""
        ready = F.relu(self.norms[0](flow))
        inner = F.relu(self.norms[1](self.convs[0](ready)))
        way = self.around(ready) if isinstance(self.around, nn.Conv2d) else flow
        return way + self.convs[1](inner)


class Wide(nn.Module):  # type: ignore[misc] # torch has no types here
    """WRN-depth-width of Zagoruyko and Komodakis, for 28x28 gray pixels."""

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, 16, 3, 1, 1, bias=False)]
        channels = 16
        for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
            for block in range((depth - 4) // 6):
                layers.append(WideBlock(channels, filters, 2 if stage and not block else 1))
                channels = filters
        self.body = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(channels)
        self.logits = nn.Linear(channels, CLASSES)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """Answer (n, channels, height, width)."""
        flow = F.relu(self.norm(self.body((flow - 0.286) / 0.353)))
        return self.logits(flow.mean((2, 3)))
