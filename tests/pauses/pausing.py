"""Where a process pauses: it is told at its start, before anything of it is imported."""

import asyncio
import importlib.abc
import importlib.machinery
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

RARE = 0.05
"""How often a pause is a long one."""
_scale = 0.0


def begin(scale: float) -> None:
    """Have this process pause, unless it is pytest's own: a test is to be quicker than what it tests."""
    global _scale  # noqa: PLW0603 - one process, one scale
    words = Path("/proc/self/cmdline").read_bytes().split(b"\0")
    is_pytest = b"pytest" in words[1:6] or any(b"exec(eval(sys.stdin.readline()))" in word for word in words)
    if scale > 0 and not is_pytest:
        _scale = scale
        sys.meta_path.insert(0, _Finder())
        time.sleep(random.choice([0.0, random.uniform(0.0, scale)]))


def pause_s(mean_s: float, long_s: float) -> float:
    """Draw a pause: short ones as a rule, now and then one that lets everything else come first."""
    long = random.uniform(0.2, 1.0) * long_s if random.random() < RARE else 0.0
    return _scale * (random.expovariate(1 / mean_s) + long)


def _before(owner: Any, name: str, mean_s: float, long_s: float) -> None:
    """Pause before a method."""
    method = getattr(owner, name)

    def slow(*given: Any, **more: Any) -> Any:
        time.sleep(pause_s(mean_s, long_s))
        return method(*given, **more)

    setattr(owner, name, slow)


def _paho(module: Any) -> None:
    _before(module.Client, "_handle_on_message", 0.02, 1.0)
    _before(module.Client, "publish", 0.005, 0.7)


def _watchdog(module: Any) -> None:
    _before(module.BaseObserver, "dispatch_events", 0.01, 0.8)


def _sqlalchemy(module: Any) -> None:
    _before(module.DefaultDialect, "do_commit", 0.01, 0.8)


def _threads(module: Any) -> None:
    """Have what `asyncio.to_thread` does begin late."""
    submit = module.ThreadPoolExecutor.submit

    def submit_slow(self: Any, work: Callable[..., Any], /, *given: Any, **more: Any) -> Any:
        def slow(*given: Any, **more: Any) -> Any:
            time.sleep(pause_s(0.03, 1.0))
            return work(*given, **more)

        return submit(self, slow, *given, **more)

    module.ThreadPoolExecutor.submit = submit_slow


def _to_browsers(module: Any) -> None:
    emit = module.Outbox._emit

    async def emit_late(self: Any, message: Any) -> None:
        await asyncio.sleep(pause_s(0.06, 1.5))
        await emit(self, message)

    module.Outbox._emit = emit_late


def _from_browsers(module: Any) -> None:
    """Have what somebody did at the page come late, one thing after the other."""
    handle = module.Client.handle_event
    latest: dict[str, float] = {}

    def handle_late(self: Any, message: Any) -> None:
        loop = asyncio.get_running_loop()
        at = max(loop.time() + pause_s(0.03, 1.0), latest.get(self.id, 0.0) + 1e-4)
        latest[self.id] = at
        loop.call_at(at, handle, self, message)

    module.Client.handle_event = handle_late


PLACES: dict[str, Callable[[Any], None]] = {
    "paho.mqtt.client": _paho,
    "watchdog.observers.api": _watchdog,
    "sqlalchemy.engine.default": _sqlalchemy,
    "concurrent.futures.thread": _threads,
    "nicegui.outbox": _to_browsers,
    "nicegui.client": _from_browsers,
}


class _Finder(importlib.abc.MetaPathFinder):
    """Change a module once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module where there is a pause, None for others."""
        if fullname not in PLACES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            PLACES[fullname](module)

        spec.loader.exec_module = load_and_change  # type: ignore[method-assign]
        return spec
