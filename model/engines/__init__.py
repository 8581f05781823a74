"""Inference engines behind one interface; each module needs its own package and loads it late."""

from __future__ import annotations

from model.engines.engine import Answer, Engine, EngineError
from model.engines.opening import ENGINES, load_engine, open_engine, open_engines

__all__ = ["ENGINES", "Answer", "Engine", "EngineError", "load_engine", "open_engine", "open_engines"]
