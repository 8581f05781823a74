"""Steps of training for so many seconds, replayed as one CUDA graph where there is a GPU."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

WARM_STEPS, MEASURED_STEPS = 40, 80
MIXED_SHARE = 0.3


class Learner:
    """A network, its optimizer (SGD with Nesterov's momentum), and its averaged copy."""

    def __init__(self, network: nn.Module, averaged: nn.Module, decay: float) -> None:
        self.network, self.averaged, self._decay = network, averaged, decay
        averaged.load_state_dict(network.state_dict())
        averaged.eval().requires_grad_(requires_grad=False)
        self.parameters = list(network.parameters())
        self._momenta = [torch.zeros_like(each) for each in self.parameters]
        self._kernels = [index for index, each in enumerate(self.parameters) if each.ndim > 1]

    def step(self, loss: torch.Tensor, rate: torch.Tensor, forget: torch.Tensor) -> None:
        """Move the weights, at a learning rate, and the average by a share of the way; both are 0-d."""
        gradients = list(torch.autograd.grad(loss, self.parameters))
        with torch.no_grad():
            for index in self._kernels:
                gradients[index] = gradients[index] + self._decay * self.parameters[index]
            torch._foreach_mul_(self._momenta, 0.9)
            torch._foreach_add_(self._momenta, gradients)
            moves = torch._foreach_add(gradients, self._momenta, alpha=0.9)
            torch._foreach_mul_(moves, rate)
            torch._foreach_sub_(self.parameters, moves)
            mean, now = _values(self.averaged), _values(self.network)
            apart = torch._foreach_sub(now, mean)
            torch._foreach_mul_(apart, forget)
            torch._foreach_add_(mean, apart)


def _values(network: nn.Module) -> list[torch.Tensor]:
    """Weights and collected statistics."""
    every = [*network.parameters(), *network.buffers()]
    return [each.data for each in every if each.is_floating_point()]


class Loop:
    """Steps over random batches for so many seconds, replayed as one CUDA graph where there is a GPU."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, batch: int) -> None:
        self.images, self.labels, self.batch = images, labels, batch
        device = images.device
        self.chosen = torch.randint(len(images), (batch,), device=device)
        # rate, share of the average to forget, photos, erased, mixed
        self.settings = torch.zeros(5, device=device)
        self.loss = torch.zeros((), device=device)

    def run(
        self,
        step: Callable[[], torch.Tensor],
        seconds: float,
        peak: float,
        tell: Callable[[float, float], None],
    ) -> float:
        """Take steps, at a learning rate that rises to `peak` and falls to 0; return how many epochs.

        After the first steps it is clear how many there is time for. `tell` gets the share done and the
        loss, eight times.
        """
        replay = self._captured(step)
        each_epoch = len(self.images) // self.batch
        began, done, total = time.perf_counter(), 0, 0
        while not total or done < total:
            order = torch.randperm(len(self.images), device=self.images.device)
            for at in range(each_epoch):
                share = done / total if total else 0.0
                self.settings.copy_(torch.tensor(self._settings(share, done, peak)))
                self.chosen.copy_(order[at * self.batch : (at + 1) * self.batch])
                replay()
                done += 1
                if done == WARM_STEPS:
                    self._wait()
                    measured = time.perf_counter()
                if done == WARM_STEPS + MEASURED_STEPS:
                    self._wait()
                    now = time.perf_counter()
                    step_s = (now - measured) / MEASURED_STEPS
                    total = done + max(1, int((seconds - (now - began)) / step_s))
                    print(
                        f"{step_s * each_epoch:.2f} s an epoch, {total / each_epoch:.1f} epochs", flush=True
                    )
                if total and done % max(1, total // 8) == 0:
                    tell(done / total, float(self.loss))
                if done == total:
                    break
        self._wait()
        return done / each_epoch

    def _settings(self, share: float, done: int, peak: float) -> list[float]:
        up = min(1.0, (done + 1) / 400)
        rate = peak * up * (1 + math.cos(math.pi * min(share, 1.0))) / 2
        forget = 1 - min(0.999, (1 + done) / (10 + done))
        if share > 0.88:
            return [rate, forget, 0.0, 0.0, 0.0]
        return [rate, forget, 0.2 * (1 - share / 2), 0.35, MIXED_SHARE]

    def _wait(self) -> None:
        if self.images.device.type == "cuda":
            torch.cuda.synchronize()

    def _captured(self, step: Any) -> Any:
        if self.images.device.type != "cuda":
            return lambda: self.loss.copy_(step())
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.loss.copy_(step())
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.loss.copy_(step())
        return graph.replay


def half(device: torch.device) -> Any:
    """Compute in bfloat16 where that is safe."""
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
