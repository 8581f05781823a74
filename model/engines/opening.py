"""Choose and load an engine for a bundle."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from model.bundle import read_golden, verify
from model.engines.engine import Engine, EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from model.bundle import Golden
    from model.manifest import Manifest

# Fastest first, as measured; `auto` takes the first that is installed, exported and agrees.
ENGINES = (
    "openvino/int8",
    "openvino/bf16",
    "openvino/f32",
    "onnxruntime/int8",
    "onnxruntime/f32",
    "tensorflow/f32",
)

# How far a probability may be from the golden one.
TOLERANCES = {"f32": 1e-4, "bf16": 0.02, "int8": 0.02}


def open_engine(bundle: Path, name: str = "auto", threads: int = 0) -> Engine:
    """Load the network of a bundle's directory into an engine; see `open_engines`."""
    return open_engines([bundle], name, threads)[0]


def open_engines(bundles: Sequence[Path], name: str = "auto", threads: int = 0) -> list[Engine]:
    """Load the networks of some bundles, all into the same engine in the same precision.

    `name` is `auto` for the fastest that agrees, an engine such as `openvino` for its fastest precision,
    or both such as `openvino/f32`. The SHA-256 of each file is checked first, the golden outputs
    afterwards. `threads` 0 leaves their number to the engine. Raises `BundleError` or `EngineError`.
    """
    wanted = [entry for entry in ENGINES if name in ("auto", entry, entry.partition("/")[0])]
    if not wanted:
        names = sorted({entry.partition("/")[0] for entry in ENGINES})
        raise EngineError(
            f"no engine is called {name!r}; there are auto, {', '.join(names)}, {', '.join(ENGINES)}"
        )
    contents = [(bundle, verify(bundle), read_golden(bundle)) for bundle in bundles]
    refusals: list[str] = []
    for entry in wanted:
        try:
            return [_agreeing(*content, entry, threads) for content in contents]
        except EngineError as error:
            refusals.append(f"{entry}: {error}")
    raise EngineError("; ".join(refusals))


def _agreeing(bundle: Path, manifest: Manifest, golden: Golden, entry: str, threads: int) -> Engine:
    name, _, precision = entry.partition("/")
    if precision == "int8" and "int8" not in manifest.graphs:
        raise EngineError("the bundle has no int8 graph")
    engine = load_engine(bundle, name, precision, threads)
    _check_golden(engine, golden)
    return engine


def load_engine(bundle: Path, name: str, precision: str, threads: int = 0) -> Engine:
    """Load an engine without a look at the golden outputs. Raises `EngineError`."""
    engine: Engine = import_module(f"model.engines.{name}_engine").load(bundle, precision, threads)
    return engine


def _check_golden(engine: Engine, golden: Golden) -> None:
    """Raise `EngineError` unless the engine gives the golden labels and nearly the golden probabilities."""
    answers = engine.logits(golden.pixels)
    if not np.array_equal(answers.argmax(axis=1), golden.logits.argmax(axis=1)):
        raise EngineError("gives other labels than the bundle's golden outputs")
    distance = np.abs(_probabilities(answers) - _probabilities(golden.logits)).max()
    if not distance <= TOLERANCES[engine.precision]:
        raise EngineError(f"is {distance:.1e} off the bundle's golden probabilities")


def _probabilities(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]
