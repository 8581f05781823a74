"""From a folder to its job, and from an image to its folder."""

from store import dropped
from store.dropped import Whence
from store.queries import reading
from tests.store.workbench import JOB, Bench, Make


def test_image_is_known_by_a_row_of_its_job(bench: Bench, make: Make) -> None:
    """A prediction or a failure; another job's image is not this one's."""
    bench.send(make.batch("a.png"), make.failure("e.png"), make.progress("open", folder="spring", seen=2))
    bench.work(3)
    with reading(bench.settings) as connection:
        for image in ("a.png", "e.png"):
            assert Whence("shop", "spring") == dropped.whence(connection, JOB, image)
        assert dropped.whence(connection, JOB, "b.png") is None
        assert dropped.whence(connection, "shop-2", "a.png") is None
        assert {JOB: "spring"} == dropped.folders(connection, [JOB, "nobody"])


def test_newest_job_of_a_folder_is_found(bench: Bench, make: Make) -> None:
    """Of this agent, and not the one that was closed before another folder was called so."""
    bench.send(
        make.progress("open", folder="spring", seen=1),
        make.progress("open", folder="spring", seen=1, job_id="shop-2", opened_at="2026-11-23T10:00:00.000Z"),
        make.progress("open", folder="spring", seen=1, job_id="hall-1", source="hall"),
    )
    bench.work(3)
    with reading(bench.settings) as connection:
        newest, before = (dropped.newest_job(connection, "shop", "spring", one) for one in ("", "shop-2"))
        assert newest is not None
        assert before is not None
        assert ("shop-2", JOB) == (newest.job_id, before.job_id)
        assert dropped.newest_job(connection, "shop", "autumn") is None
