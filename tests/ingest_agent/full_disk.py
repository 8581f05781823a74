"""Run by test_agent_inbox in a mount namespace: results.csv on a disk that is full for a while."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.ingest_agent.workbench import Workbench


def main(disk: Path) -> None:
    """Fill the disk under the inbox, drop, and give the room back."""
    with tempfile.TemporaryDirectory() as state:
        bench = Workbench(Path(state), inbox=disk / "inbox")
        bench.inbox = disk / "inbox"
        bench.start()
        folder = bench.inbox / "f"
        folder.mkdir()
        (folder / "1.png").write_bytes(b"no picture")
        ballast = disk / "ballast"
        _fill(ballast)
        bench.until_closed()
        assert not (folder / "results.csv").exists()
        assert not list(folder.glob(".*"))
        assert 1 == len(bench.other.told("results-not-written"))
        ballast.unlink()
        bench.until((folder / "results.csv").exists)
        bench.until(lambda: bench.other.told("results-not-written-over"))
        bench.end()
    sys.stdout.write("written later\n")


def _fill(ballast: Path) -> None:
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
    except OSError:
        return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
