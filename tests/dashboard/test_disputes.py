"""Where two models part ways, asked while a trial begins."""

from pathlib import Path

from broker.reviewer import connection_of
from broker.settings_reader import read_settings
from broker.topics import Topics
from dashboard.answers import Answers
from dashboard.counting import Counting
from dashboard.disputes import Parting, parting
from dashboard.site import Site
from dashboard.watch import Watch
from store.writer import Writer
from tests.running import run
from tests.store.test_shadows import shadow
from tests.store.workbench import Make, writing


def test_trial_that_begins_is_seen_at_once_and_its_counts_are_kept(tmp_path: Path) -> None:
    """That there was none is no count: kept, it would hide the trial for as long as a slow question took."""
    settings = read_settings(None, {"TAILORBIRD__PATHS__STATE": str(tmp_path)}).settings
    seconds = iter(range(1000))
    counting = Counting(lambda: float(next(seconds)))
    answers = Answers(connection_of(settings), Topics(settings.broker.root))
    site = Site(settings, Watch(settings), answers, counting)
    make = Make()

    async def asked(writer: Writer) -> list[Parting | None]:
        found = [await parting(site, "m1", "m2")]
        writer.write([shadow(make, {"a.png": "Coat"})])
        found.append(await parting(site, "m1", "m2"))
        writer.write([shadow(make, {"b.png": "Bag"}, batch_id="b2")])
        return [*found, await parting(site, "m1", "m2")]

    with writing(settings.store) as writer:
        writer.write([make.batch("a.png", "b.png")])
        before, first, second = run(asked(writer))
    assert before is None
    assert first is not None
    assert (1, 1) == (first.counts.images, first.counts.differing)
    assert first is second
