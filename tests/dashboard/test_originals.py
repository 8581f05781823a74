"""Photos by their address: which are shown, and as what."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from broker.settings import Settings
from dashboard import originals
from dashboard.originals import GONE, NOT_HERE, NoPhoto, PhotoAnswer, find, kind_of
from tests.running import run
from tests.store.workbench import JOB, Make, at_work

PNG = b"\x89PNG\r\n\x1a\n and the rest"


@pytest.fixture
def folder(settings: Settings) -> Iterator[Path]:
    """The folder of a job with a prediction `a.png`, and a failure `b.tif`."""
    found = settings.ingest_agent.inbox / "spring"
    found.mkdir(parents=True)
    (found / "a.png").write_bytes(PNG)
    make = Make()
    with at_work(settings.store) as bench:
        bench.send(make.batch("a.png"), make.failure("b.tif"), make.progress("open", folder="spring", seen=2))
        bench.work(3)
        yield found


def why_not(settings: Settings, job_id: str, image: str) -> str:
    """Return why there is no photo."""
    with pytest.raises(NoPhoto) as why:
        find(settings, job_id, image)
    return str(why.value)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (PNG, "image/png"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "image/bmp"),
        (b"BMW 320, sold in May 2019", None),
        (b"BM", None),
        (b"<svg xmlns=", None),
        (b"<!DOCTYPE html>", None),
        (b"II*\0", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"", None),
    ],
)
def test_only_pictures_that_do_nothing_are_shown(head: bytes, kind: str | None) -> None:
    """By how they begin, whatever they are called."""
    assert kind == kind_of(head)


def test_photo_of_an_image_is_found(settings: Settings, folder: Path) -> None:
    """With its kind and its size."""
    found = find(settings, JOB, "a.png")
    assert ("image/png", len(PNG)) == (found.kind, found.size)
    found.file.close()
    (folder / "a.png").unlink()
    assert GONE == why_not(settings, JOB, "a.png")


def test_only_what_has_a_row_is_shown(settings: Settings, folder: Path) -> None:
    """Another file of the folder, or another job's image, is not."""
    (folder / "other.png").write_bytes(PNG)
    for job_id, image in ((JOB, "other.png"), ("shop-2", "a.png"), ("", ""), (JOB, "../spring/a.png")):
        assert "The database knows no such image." == why_not(settings, job_id, image)


def test_what_browsers_do_not_show_is_said(settings: Settings, folder: Path) -> None:
    """A TIFF, and a link that took the photo's place."""
    (folder / "b.tif").write_bytes(b"II*\0")
    assert NOT_HERE == why_not(settings, JOB, "b.tif")
    (folder / "b.tif").unlink()
    (folder / "b.tif").symlink_to(folder / "a.png")
    assert why_not(settings, JOB, "b.tif").startswith("The photo cannot be read")


def test_huge_photo_is_not_shown(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No browser would be the better for it."""
    assert folder.is_dir()
    monkeypatch.setattr(originals, "MOST_BYTES", 10)
    assert why_not(settings, JOB, "a.png").startswith("The photo has 21\N{NO-BREAK SPACE}bytes: too much")


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_photo_is_closed_when_nobody_waits_for_it(settings: Settings, folder: Path, version: str) -> None:
    """Whoever has gone before its first byte costs no open file, however a server tells that they have."""
    assert folder.is_dir()
    found = find(settings, JOB, "a.png")

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        await asyncio.sleep(0)
        raise OSError("it has gone")

    scope = {"type": "http", "method": "GET", "asgi": {"spec_version": version}}
    with contextlib.suppress(ClientDisconnect):
        run(PhotoAnswer(found)(scope, receive, send))
    assert found.file.closed
