"""The agent with its decoding processes: whatever those do, every image gets its one row."""

import sys

import pytest

from ingest_agent import decoder as decoder_module
from ingest_agent.decoder import Decoder
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.test_decoder import CURSED, ENDLESS
from tests.ingest_agent.workbench import LABEL, Workbench


@pytest.fixture
def bench(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A started agent whose decoders crash on some images."""
    monkeypatch.setattr(decoder_module, "COMMAND", (sys.executable, "-c", CURSED))
    monkeypatch.setattr(decoder_module, "DECODE_PATIENCE", ENDLESS)
    bench = make_bench(decode_in="process", decode_s=1.0)
    bench.start()
    return bench


def decoders(bench: Workbench) -> list[Decoder]:
    """Return the agent's decoders."""
    assert bench.agent is not None
    return [one for one in bench.agent._readers._preparers if isinstance(one, Decoder)]


def are_ready(bench: Workbench) -> bool:
    """Tell whether every decoder's process can work."""
    streams = [one._process._process.stderr for one in decoders(bench) if one._process is not None]
    return len(streams) == len(decoders(bench)) and all(one is not None and one.closed for one in streams)


def test_images_that_crash_the_library_are_failures_and_the_others_are_not(bench: Workbench) -> None:
    """Each of them exactly once, with a reason, in one job."""
    folder = bench.drop_folder("f", 150)
    bench.until_closed()
    for name, curse in (("a", b"segfault"), ("m", b"abort"), ("z", b"spin")):
        bench.drop(f"g/{name}.png", curse)
    bench.drop("g/fine.png")
    bench.until_closed(2)
    rows = bench.other.images()
    assert {f"{number:05d}.png": LABEL for number in range(150)} == {
        name: row for name, row in rows.items() if name[0] == "0"
    }
    assert {
        "a.png": "!crashes-decoder",
        "m.png": "!crashes-decoder",
        "z.png": "!takes-too-long",
        "fine.png": LABEL,
    } == {name: row for name, row in rows.items() if name[0] != "0"}
    assert {1} == set(bench.other.deliveries.values())
    assert (folder / "results.csv").exists()


def test_decoders_that_are_killed_all_the_time_cost_nothing(bench: Workbench) -> None:
    """No image is lost, doubled, or blamed."""
    bench.drop_folder("f", 1500)
    kills = latest = 0

    def all_stored_with_a_kill_now_and_then() -> bool:
        nonlocal kills, latest
        for decoder in decoders(bench):
            process = decoder._process
            if process is not None and len(bench.other.rows) > latest + 100:
                process._process.kill()  # nothing happens where the agent has just ended it itself
                kills, latest = kills + 1, len(bench.other.rows)
        return len(bench.other.rows) >= 1500

    bench.until(all_stored_with_a_kill_now_and_then)
    bench.until_closed()
    assert kills > 2
    assert {LABEL} == set(bench.other.images().values())
    assert (1500, 1500) == (len(bench.other.rows), sum(bench.other.deliveries.values()))


def test_decoders_that_cannot_start_are_waited_for(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, no image becomes a failure, and all goes on when the world is well again."""
    bench.drop("f/1.png")
    bench.until_closed()
    bench.until(
        lambda: are_ready(bench)
    )  # one that is ended while it starts would say that, not what follows
    whole = decoder_module.COMMAND
    monkeypatch.setattr(decoder_module, "COMMAND", (sys.executable, "-c", "import missing_module"))
    for decoder in decoders(bench):
        assert decoder._process is not None
        decoder._process.interrupt()
    bench.drop_folder("g", 20)
    bench.until(lambda: bench.other.told("cannot-read"))
    assert "missing_module" in bench.other.told("cannot-read")[0]
    bench.for_a_while(1.5)
    assert 1 == len(bench.other.rows)
    monkeypatch.setattr(decoder_module, "COMMAND", whole)
    bench.until_closed(2)
    assert {LABEL} == set(bench.other.images().values())
    bench.until(lambda: bench.other.told("cannot-read-over"))
    assert 1 == len(bench.other.told("cannot-read"))


def test_agent_stops_while_a_picture_is_decoded(bench: Workbench) -> None:
    """At once; its processes are gone, and the image is read again at the next start."""
    bench.drop("f/slow.png", b"sleep")
    bench.until(lambda: bench.agent is not None and len(bench.agent._readers) == 1)
    found = [one._process._process for one in decoders(bench) if one._process is not None]
    bench.end()
    assert all(process.returncode is not None for process in found)
    assert {} == bench.other.rows
