"""A workbench for each test, ended after it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ingest_agent.workbench import Workbench

MakeBench = Callable[..., Workbench]


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[MakeBench]:
    """`make_bench(window=2)`: an agent with these settings, not yet started."""
    made: list[Workbench] = []

    def make(**own: Any) -> Workbench:
        made.append(Workbench(tmp_path, **own))
        return made[-1]

    yield make
    for bench in made:
        bench.end()


@pytest.fixture
def bench(make_bench: MakeBench) -> Workbench:
    """A started agent with quick settings."""
    bench = make_bench()
    bench.start()
    return bench
