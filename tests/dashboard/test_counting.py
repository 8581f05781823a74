"""What reads every row is read once for all who ask, and by one thread."""

import asyncio
import threading

import pytest

from broker.errors import SettingsError
from dashboard import counting
from dashboard.counting import SHARE, Counting
from tests.running import run


def test_count_is_made_once_for_all_who_ask_and_kept_as_long_as_it_is_dear() -> None:
    """Whoever asks meanwhile waits for it, whoever asks later gets it; in the end it is made again."""
    now, made = [0.0], []
    known = Counting(lambda: now[0])

    def count() -> int:
        now[0] += 2.0
        made.append(threading.current_thread().name)
        return len(made)

    async def asked() -> list[int]:
        found = await asyncio.gather(*[known.of("all", count) for _ in range(5)])
        now[0] += 2.0 / SHARE - 1.0
        found.append(await known.of("all", count))
        now[0] += 1.0
        return [*found, await known.of("all", count), await known.of("another", count)]

    assert [1] * 6 + [2, 3] == run(asked())
    assert 1 == len(set(made))


def test_more_counts_than_may_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that fails is known to who waits for it, and made again by who asks again."""
    monkeypatch.setattr(counting, "MOST", 2)
    known, go = Counting(), threading.Event()

    def count() -> None:
        go.wait()
        raise SettingsError("no database")

    async def asked() -> list[str]:
        waiting = [asyncio.create_task(known.of(key, count)) for key in ("a", "b", "a")]
        await asyncio.sleep(0)
        with pytest.raises(SettingsError, match="counts for others"):
            await known.of("c", count)
        go.set()
        return [str(one) for one in await asyncio.gather(*waiting, return_exceptions=True)]

    assert ["no database"] * 3 == run(asked())
    assert 1 == run(known.of("a", lambda: 1))
