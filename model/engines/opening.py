"""Choose and load an engine for a bundle."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from model.bundle import read_golden, verify
from model.engines.engine import Engine, EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from model.bundle import Golden

# Fastest first, as measured; `auto` takes the first that is installed and agrees.
ENGINES = ("openvino", "onnxruntime", "tensorflow")

# How far a probability may be from the golden one.
TOLERANCES = {"f32": 1e-4, "bf16": 0.02, "int8": 0.02}


def open_engine(bundle: Path, name: str = "auto", threads: int = 0) -> Engine:
    """Load the network of a bundle's directory into the engine `name`, or the fastest that agrees.

    The SHA-256 of each file is checked first and the golden outputs afterwards. `threads` 0 leaves their
    number to the engine. Raises `BundleError` or `EngineError`.
    """
    if name != "auto" and name not in ENGINES:
        message = f"no engine is called {name!r}; there are auto, {', '.join(ENGINES)}"
        raise EngineError(message)
    verify(bundle)
    golden = read_golden(bundle)
    refusals = []
    for candidate in ENGINES if name == "auto" else (name,):
        try:
            engine = _load(bundle, candidate, threads)
            _check_golden(engine, golden)
        except EngineError as error:
            refusals.append(f"{candidate}: {error}")
        else:
            return engine
    raise EngineError("; ".join(refusals))


def _load(bundle: Path, name: str, threads: int) -> Engine:
    module = import_module(f"model.engines.{name}_engine")
    return module.load(bundle, threads)  # type: ignore[no-any-return]


def _check_golden(engine: Engine, golden: Golden) -> None:
    """Raise `EngineError` unless the engine gives the golden labels and nearly the golden probabilities."""
    from model.classifier import softmax  # noqa: PLC0415  the classifier opens engines

    answers = engine.logits(golden.pixels)
    if not np.array_equal(answers.argmax(axis=1), golden.logits.argmax(axis=1)):
        message = f"{engine.precision} gives other labels than the bundle's golden outputs"
        raise EngineError(message)
    distance = np.abs(softmax(answers, 1.0) - softmax(golden.logits, 1.0)).max()
    if not distance <= TOLERANCES[engine.precision]:
        message = f"{engine.precision} is {distance:.1e} off the bundle's golden probabilities"
        raise EngineError(message)
