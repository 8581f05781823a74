"""Inference engines behind one interface; each module needs its own package and loads it late."""

from __future__ import annotations

from model.engines.engine import Engine, EngineError
from model.engines.opening import ENGINES, open_engine

__all__ = ["ENGINES", "Engine", "EngineError", "open_engine"]
