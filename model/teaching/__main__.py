"""The run: teachers first, then the students together."""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - PyTorch's own habit

from model.teaching.augmenting import SIDE, Dice, augment, column
from model.teaching.learning import Learner, Loop, half
from model.teaching.networks import Student, Wide

BATCH = 256
VALIDATION = 5_000
SMOOTH = 2.0  # the temperature at which students listen
LABEL_SHARE = 0.15  # of what is learned from the label where there is one
FIRST = {"widths": (0, 32, 64), "blocks": (1, 1)}
FIRST_DEEPER = {"widths": (0, 32, 64), "blocks": (1, 2)}
SECOND = {"widths": (32, 64, 192), "blocks": (3, 1)}
TEACHERS = ((16, 8), (22, 6))

Held = tuple[torch.Tensor, torch.Tensor]
"""Validation images and labels."""
History = dict[str, list[dict[str, float]]]
"""By network: how much was done (0..1), the loss, and the accuracy on validation."""


def logits_of(network: nn.Module, images: torch.Tensor, batch: int = 1000) -> torch.Tensor:
    """Float32 logits (n, classes) of images (n, 28, 28) uint8."""
    parts = []
    with torch.no_grad(), half(images.device):
        for at in range(0, len(images), batch):
            flow = images[at : at + batch, None].float() / 255
            parts.append(network(flow.contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(parts)


def both_ways(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Probabilities (n, classes), the mean for each image and its mirror image."""
    return (logits_of(network, images).softmax(1) + logits_of(network, images.flip(2)).softmax(1)) / 2


def _accuracy(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    return float((probabilities.argmax(1) == labels).float().mean())


def teach_wide(loop: Loop, held: Held, shape: tuple[int, int], seconds: float, history: History) -> nn.Module:
    """Train a teacher of some depth and width from the labels for so many seconds; return its average."""
    device = loop.images.device
    learner = Learner(_to(Wide(*shape), device), _to(Wide(*shape), device), 5e-4)
    name = f"teacher {shape[0]}-{shape[1]}"

    def step() -> torch.Tensor:
        rate, forget, photo, erased, _ = loop.settings
        flow = augment(loop.images[loop.chosen, None].float(), photo, erased) / 255
        with half(device):
            logits = learner.network(flow.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), loop.labels[loop.chosen])
        learner.step(loss, rate, forget)
        return loss.detach()

    def tell(share: float, loss: float) -> None:
        found = _accuracy(logits_of(learner.averaged, held[0]), held[1])
        history.setdefault(name, []).append({"done": share, "loss": loss, "validation_accuracy": found})
        print(f"{name} {share:.0%} loss {loss:.4f} validation {found:.4f}", flush=True)

    loop.run(step, seconds, 0.1, tell)
    return learner.averaged


def teach_students(
    loop: Loop,
    held: Held,
    teachers: list[nn.Module],
    shapes: dict[str, dict[str, Any]],
    seconds: float,
    history: History,
) -> dict[str, Student]:
    """Train the students side by side on the teachers' answers; return their averages."""
    device = loop.images.device
    learners = {
        name: Learner(_to(Student(**shape), device), _to(Student(**shape), device), 3e-4)
        for name, shape in shapes.items()
    }

    def step() -> torch.Tensor:
        rate, forget, photo, erased, mixed = loop.settings
        flow = augment(loop.images[loop.chosen, None].float(), photo, erased) / 255
        dice = Dice(flow)
        mix = dice.uniform(0, 1) < mixed
        own = torch.where(mix, dice.uniform(0, 1), torch.ones_like(mix, dtype=torch.float32))
        flow = column(own) * flow + column(1 - own) * flow.roll(1, 0)
        flow = flow.contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), half(device):
            answers = [teacher(flow).float() for teacher in teachers]
            wanted = torch.stack([(answer / SMOOTH).softmax(1) for answer in answers]).mean(0)
        truth = loop.labels[loop.chosen]
        losses = []
        for learner in learners.values():
            with half(device):
                logits = learner.network(flow)
            logits = logits.float()
            alike = -(wanted * (logits / SMOOTH).log_softmax(1)).sum(1) * SMOOTH**2
            right = F.cross_entropy(logits, truth, reduction="none")
            label_share = LABEL_SHARE * (~mix).float()
            loss = ((1 - label_share) * alike + label_share * right).mean()
            learner.step(loss, rate, forget)
            losses.append(loss.detach())
        return torch.stack(losses).mean()

    def tell(share: float, loss: float) -> None:
        found = {
            name: round(_accuracy(logits_of(each.averaged, held[0]), held[1]), 4)
            for name, each in learners.items()
        }
        for name, accuracy in found.items():
            point = {"done": share, "loss": loss, "validation_accuracy": accuracy}
            history.setdefault(name, []).append(point)
        print(f"students {share:.0%} loss {loss:.4f} validation {found}", flush=True)

    loop.run(step, seconds, 0.15, tell)
    return {name: each.averaged for name, each in learners.items()}


def _to(network: nn.Module, device: torch.device) -> nn.Module:
    return network.to(device=device, memory_format=torch.channels_last)


def pairs(answers: dict[str, torch.Tensor], labels: torch.Tensor) -> None:
    """Print what each first network does with each second one, by the share that goes to the second."""
    for name, answer in answers.items():
        if not name.startswith("first"):
            continue
        sure = answer.softmax(1).amax(1)
        for other in (each for each in answers if each.startswith("second")):
            row = []
            for share in (0.05, 0.08, 0.1, 0.12, 0.15, 0.2):
                unclear = sure <= sure.quantile(share)
                labelled = torch.where(unclear, answers[other].argmax(1), answer.argmax(1))
                row.append(f"{share:.0%} {float((labelled == labels).float().mean()):.4f}")
            print(name, other, *row, flush=True)


def split(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, validation images and labels, as `train` splits them."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as stream:
        images = np.frombuffer(stream.read(), np.uint8, offset=16).reshape(-1, SIDE, SIDE)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as stream:
        labels = np.frombuffer(stream.read(), np.uint8, offset=8).astype(np.int64)
    order = np.random.default_rng(20170825).permutation(len(images))
    rest, held = order[VALIDATION:], order[:VALIDATION]
    return images[rest], labels[rest], images[held], labels[held]


def main() -> None:
    """Teach, and write a file for each student, one with the teachers' answers, and how it went."""
    given = _given()
    torch.manual_seed(given.seed)
    torch.backends.cudnn.benchmark = True
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, labels, *rest = (
        torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in split(given.data)
    )
    held = (rest[0], rest[1])
    given.out.mkdir(parents=True, exist_ok=True)
    history: History = {}
    teachers = [
        teach_wide(Loop(images, labels, BATCH), held, (depth, width), given.teacher_s, history)
        for depth, width in json.loads(given.teachers)
    ]
    found = torch.stack([both_ways(each, held[0]) for each in teachers])
    alone = [round(_accuracy(each, held[1]), 4) for each in found]
    together = round(_accuracy(found.mean(0), held[1]), 4)
    print("teachers, both ways:", alone, "together:", together, flush=True)
    answers = torch.stack([both_ways(each, images) for each in teachers]).mean(0)
    np.savez(given.out / "teachers.npz", training=answers.half().cpu().numpy())
    shapes = {"first": FIRST, "first-deeper": FIRST_DEEPER, "second": SECOND}
    students = teach_students(
        Loop(images, labels, 2 * BATCH), held, teachers, shapes, given.students_s, history
    )
    pairs({name: logits_of(each, held[0]) for name, each in students.items()}, held[1])
    for name, student in students.items():
        with torch.no_grad():
            check = student(held[0][:16, None].float() / 255).cpu().numpy()
        arrays = {**student.named_weights(), "shape": np.array(json.dumps(shapes[name])), "check": check}
        np.savez(given.out / f"{name}.npz", allow_pickle=False, **arrays)
    told = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "seed": given.seed,
        "teachers_together_validation": together,
        "history": history,
    }
    (given.out / "teaching.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m model.teaching", description="Teach two networks.")
    parser.add_argument("--data", type=Path, required=True, help="folder with Fashion-MNIST's training files")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher-s", type=float, default=122.0, help="seconds for each teacher")
    parser.add_argument("--students-s", type=float, default=308.0, help="seconds for the students together")
    parser.add_argument("--teachers", default=json.dumps(TEACHERS), help="depth and width of each")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
