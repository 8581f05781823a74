"""Nothing lost and nothing twice, whatever is lost, repeated, late, full or dead in between."""

import functools
import time
from typing import Any

import msgspec
import pytest

from broker.connection import Capabilities, Delivery
from broker.memory import Fate
from broker.messages import PixelBatch, Receipt, decode, encode
from ingest_agent import inspection
from ingest_agent.findings import Refused
from ingest_agent.reading import Stat
from tests.ingest_agent.conftest import MakeBench
from tests.ingest_agent.workbench import LABEL, TOPICS, Workbench, be_quiet, with_settings


def test_unanswered_batches_go_out_again_after_a_restart(make_bench: MakeBench) -> None:
    """Same jobs, same batches, same bytes; and each image has one row in the end."""
    bench = make_bench(batch_images=4, window=16)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 10)
    bench.drop("f/broken.png", b"")
    bench.until(lambda: len(bench.other.deliveries) == 11)
    before = {batch_id: copies[0] for batch_id, copies in bench.other.batches.items()}
    bench.end(kill=True)
    bench.other.silent = False
    bench.start()
    (job,) = bench.until_closed()
    closing = set(bench.other.batches) - set(before)
    assert 1 == len(closing)
    assert all({payload} == set(bench.other.batches[batch_id]) for batch_id, payload in before.items())
    assert (11, 10, 1) == (job.seen, job.stored, job.failed)


def test_restart_counts_nothing_as_sent_twice(make_bench: MakeBench) -> None:
    """Three batches are out when the agent is killed: in the end seen = sent = stored + failed."""
    bench = make_bench(batch_images=4, window=16)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 12)
    bench.until(lambda: len(bench.other.deliveries) == 12)
    bench.drop("f/broken.png", b"")  # its transaction makes durable that the others were sent
    bench.until(lambda: len(bench.other.deliveries) == 13)
    bench.end(kill=True)
    bench.other.silent = False
    bench.start()
    (job,) = bench.until_closed()
    assert (13, 13, 12, 1) == (job.seen, job.sent, job.stored, job.failed)
    (kept,) = inspection.jobs(inspection.ledger_of(bench.settings))
    assert (13, 13) == (kept.seen, kept.sent)


def test_restart_takes_nothing_twice(make_bench: MakeBench) -> None:
    """What the ledger knows as answered is not read again, and results.csv still has it."""
    bench = make_bench()
    bench.start()
    bench.drop_folder("f", 20)
    bench.until_closed()
    bench.end()
    bench.start()
    bench.drop("f/later.png")
    bench.until_closed(2)
    assert {1} == set(bench.other.deliveries.values())
    assert 22 == len((bench.inbox / "f" / "results.csv").read_text("utf-8").splitlines())


def test_job_that_was_open_goes_on_after_a_restart(make_bench: MakeBench) -> None:
    """Its images so far count on, and its closing is sent once all of them are answered."""
    bench = make_bench(quiet_s=30.0)
    bench.start()
    bench.drop("f/1.png")
    bench.until(lambda: bench.other.rows)
    bench.end(kill=True)
    agent = bench.start()
    bench.drop("f/2.png")
    bench.until(lambda: len(bench.other.rows) == 2)
    for one in agent._jobs:
        one.latest_seen -= 60.0
    (job,) = bench.until_closed()
    assert {(job.job_id, "1.png"), (job.job_id, "2.png")} == set(bench.other.rows)
    assert (2, 2, 2) == (job.seen, job.sent, job.stored)


def test_closing_is_sent_until_its_receipt(make_bench: MakeBench) -> None:
    """A job whose closing was lost is closed all the same, after a restart too."""
    bench = make_bench()
    bench.start()
    bench.drop("f/1.png")
    bench.until(lambda: bench.other.rows)
    bench.other.silent = True
    bench.until(lambda: len(bench.other.batches) == 2)
    bench.end(kill=True)
    bench.start()
    bench.until(lambda: max(map(len, bench.other.batches.values())) > 1)
    bench.other.silent = False
    (job,) = bench.until_closed()
    assert 1 == job.stored


def test_lost_receipts_are_asked_for_again(bench: Workbench) -> None:
    """A batch whose receipt was lost is sent again, and answered from the database."""
    lost: list[Delivery] = []

    def lose_first_three(client: str, delivery: Delivery) -> Fate:
        if client == "agent" and TOPICS.kind(delivery.topic) == "receipts" and len(lost) < 3:
            lost.append(delivery)
            return "lose"
        return "pass"

    bench.broker.fault = lose_first_three
    bench.drop_folder("f", 30)
    (job,) = bench.until_closed()
    assert (30, 30, 3) == (job.stored, len(bench.other.rows), len(lost))


def test_late_receipt_is_still_good(bench: Workbench) -> None:
    """A receipt that comes after the batch was sent again closes it, and repeats of it do nothing."""
    bench.other.silent = True
    bench.drop("f/1.png")
    bench.until(lambda: len(next(iter(bench.other.batches.values()), [])) == 3)
    bench.other.silent = False
    batch = decode(PixelBatch, next(iter(bench.other.batches.values()))[0])
    bench.other.rows[batch.job_id, "1.png"] = LABEL
    for _ in range(3):
        bench.other.answer(batch.batch_id, batch.job_id, batch.source, "predictions", batch.images)
    (job,) = bench.until_closed()
    assert (1, 1, 0) == (job.seen, job.stored, job.failed)


def test_receipt_that_names_some_images_closes_those(make_bench: MakeBench) -> None:
    """The rest of the batch stays unanswered and is sent again as it was."""
    bench = make_bench(batch_images=3, linger_ms=5000.0)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 3)
    bench.until(lambda: bench.other.batches)
    bench.other.silent = False
    batch = decode(PixelBatch, next(iter(bench.other.batches.values()))[0])
    for image in batch.images:
        bench.other.rows[batch.job_id, image] = LABEL
    bench.other.answer(batch.batch_id, batch.job_id, batch.source, "predictions", batch.images[:1])
    (job,) = bench.until_closed()
    assert (3, 3) == (job.seen, job.stored)
    assert {encode(batch)} == set(bench.other.batches[batch.batch_id])


def test_partly_answered_batch_counts_each_image_once_after_a_restart(make_bench: MakeBench) -> None:
    """Killed between the receipt for one image and the one for the others: the job closes all the same."""
    bench = make_bench(batch_images=3, linger_ms=5000.0, resend_min_s=30.0, resend_max_s=60.0)
    agent = bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 3)
    bench.until(lambda: len(bench.other.deliveries) == 3)
    for payloads in list(bench.other.batches.values()):
        batch = decode(PixelBatch, payloads[0])
        bench.other.rows[batch.job_id, batch.images[0]] = LABEL
        bench.other.answer(batch.batch_id, batch.job_id, batch.source, "predictions", batch.images[:1])
    bench.until(lambda: [job.stored for job in agent._jobs] == [len(bench.other.batches)])
    bench.end(kill=True)
    bench.other.silent = False
    bench.start()
    (job,) = bench.until_closed()
    assert (3, 3, 3, 0) == (job.seen, job.sent, job.stored, job.failed)


def test_images_that_were_rejected_are_closed_as_failures(make_bench: MakeBench) -> None:
    """The store turns a rejected batch into failures, and its receipt says so."""
    bench = make_bench(batch_images=3, linger_ms=5000.0)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 3)
    bench.until(lambda: bench.other.batches)
    bench.other.silent = False
    batch = decode(PixelBatch, next(iter(bench.other.batches.values()))[0])
    for image in batch.images:
        bench.other.rows[batch.job_id, image] = "!rejected"
    bench.other.answer(batch.batch_id, batch.job_id, batch.source, "predictions", batch.images)
    (job,) = bench.until_closed()
    assert (3, 0, 3) == (job.seen, job.stored, job.failed)
    assert "rejected: as told" in (bench.inbox / "f" / "results.csv").read_text("utf-8")


def test_receipt_that_is_no_receipt_is_put_aside(bench: Workbench) -> None:
    """Garbage, a stranger's batch and a receipt that names an image twice harm nothing."""
    bench.other.connection.publish(TOPICS.receipts("shop"), b"\xff not json")
    bench.other.send(
        Receipt(batch_id="f00", job_id="j", source="shop", kind="job", stored_at="2026-11-22T13:00:00.000Z")
    )
    bench.drop("f/1.png")
    (job,) = bench.until_closed()
    assert 1 == job.stored
    assert ["message-rejected"] == [one.event for one in bench.other.events if "reject" in one.event]


def test_broker_away_loses_nothing(make_bench: MakeBench) -> None:
    """While it is away the agent gathers no more than its window; then everything goes on."""
    bench = make_bench(batch_images=64, window=4)
    bench.start()
    bench.drop_folder("f", 50)
    bench.until(lambda: bench.other.rows)
    bench.broker.go_away(forget=True)
    bench.drop_folder("g", 1000)
    bench.for_a_while(0.5)
    assert bench.agent is not None
    assert len(bench.agent._outbox.window) <= bench.settings.ingest_agent.window
    assert len(bench.agent._intake.held) <= 4 * 64 + 512 + 64
    bench.broker.come_back()
    bench.other.announce()
    jobs = bench.until_closed(2)
    assert 1050 == len(bench.other.rows) == sum(job.stored for job in jobs)


def test_return_of_the_broker_sends_each_unanswered_batch_once(make_bench: MakeBench) -> None:
    """No storm: one copy a batch for each connection."""
    bench = make_bench(batch_images=5, linger_ms=5000.0, resend_min_s=30.0, resend_max_s=60.0)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 20)
    bench.until(lambda: len(bench.other.batches) == 4)

    def has_come(copies: int) -> bool:
        return {copies} == {len(known) for known in bench.other.batches.values()}

    for copies in (2, 3):
        bench.broker.go_away()
        bench.for_a_while(0.1)
        bench.broker.come_back()
        bench.until(functools.partial(has_come, copies))
        bench.for_a_while(0.2)
    assert {3} == {len(known) for known in bench.other.batches.values()}


def test_return_of_a_predictor_calls_for_what_it_may_have_lost(make_bench: MakeBench) -> None:
    """A model that is announced anew is a predictor that is there again: no waiting for the timeout."""
    bench = make_bench(resend_min_s=0.2, resend_max_s=600.0)
    bench.start()
    bench.other.silent = True
    bench.drop("f/1.png")
    bench.until(lambda: bench.other.batches)
    assert bench.agent is not None
    for out in bench.agent._outbox.window._out.values():
        out.due += 500.0
    bench.other.silent = False
    bench.other.announce()
    (job,) = bench.until_closed()
    assert 1 == job.stored


def test_window_bounds_what_is_unanswered_and_what_is_read(make_bench: MakeBench) -> None:
    """However large the folder, no more is in hand than the window and the readers hold."""
    bench = make_bench(batch_images=8, window=3, linger_ms=2000.0, resend_min_s=30.0)
    agent = bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 900)
    bench.until(lambda: len(bench.other.batches) == 3)
    bench.for_a_while(0.5)
    assert (3, 24) == (len(bench.other.batches), len(bench.other.deliveries))
    assert len(agent._intake.held) <= 24 + 512 + 64
    bench.other.silent = False
    for batch in [decode(PixelBatch, copies[0]) for copies in list(bench.other.batches.values())]:
        for image in batch.images:
            bench.other.rows[batch.job_id, image] = LABEL
        bench.other.answer(batch.batch_id, batch.job_id, batch.source, "predictions", batch.images)
    (job,) = bench.until_closed()
    assert 900 == job.stored


def test_job_does_not_close_beside_a_refused_file_that_waits(make_bench: MakeBench) -> None:
    """The window is full with another folder's batch; the failure belongs to the job all the same."""
    bench = make_bench(window=1, quiet_s=30.0)
    agent = bench.start()
    bench.drop("f/1.png")
    bench.until(lambda: [job.stored for job in agent._jobs] == [1])
    (job,) = agent._jobs
    bench.other.silent = True
    bench.drop("g/1.png")
    bench.until(lambda: len(bench.other.batches) == 2)
    agent._gathering.refuse(Refused(b"f/broken.png", "empty", "It has no bytes.", Stat(0, 0, 0)))
    job.latest_seen -= 60.0
    bench.for_a_while(0.5)
    assert "open" == job.state
    bench.other.silent = False
    bench.until(lambda: job.failed == 1)
    for one in agent._jobs:
        one.latest_seen -= 60.0
    jobs = bench.until_closed(2)
    assert {"f": 2, "g": 1} == {one.folder: one.seen for one in jobs}


def test_receive_maximum_narrows_the_window(make_bench: MakeBench) -> None:
    """A broker that takes six unacknowledged packets gets two batches at a time."""
    bench = make_bench(batch_images=1, window=8, resend_min_s=30.0)
    bench.broker.capabilities = Capabilities(receive_maximum=6)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 20)
    bench.until(lambda: len(bench.other.batches) == 2)
    bench.for_a_while(0.3)
    assert 2 == len(bench.other.batches)


def test_packet_limit_shapes_the_batches(make_bench: MakeBench) -> None:
    """With a limit of 16 KiB no packet is larger, and neither would the predictions' be."""
    bench = make_bench()
    bench.broker.capabilities = Capabilities(maximum_packet_size=16_384)
    bench.start()
    bench.drop_folder("f", 100)
    bench.until_closed()
    sizes = [len(payload) for copies in bench.other.batches.values() for payload in copies]
    assert 100 == len(bench.other.rows)
    assert max(sizes) <= 16_384


def test_batch_that_another_broker_does_not_take_is_cut(make_bench: MakeBench) -> None:
    """Sealed for one broker, sent to a smaller one: its images go in smaller batches."""
    bench = make_bench(batch_images=60, linger_ms=5000.0)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 60)
    bench.until(lambda: len(bench.other.deliveries) == 60)
    bench.end(kill=True)
    bench.broker.capabilities = Capabilities(maximum_packet_size=16_384)
    bench.other.silent = False
    bench.start()
    (job,) = bench.until_closed()
    assert (60, 60, 60) == (job.seen, job.sent, job.stored)
    assert bench.other.told("batch-split")


def test_batches_that_no_broker_takes_are_told_each_and_end_each(make_bench: MakeBench) -> None:
    """A single image cannot be cut; it goes as soon as the broker takes it."""
    bench = make_bench(batch_images=1, resend_min_s=30.0, resend_max_s=60.0)
    bench.broker.capabilities = Capabilities(maximum_packet_size=900)
    bench.start()
    bench.drop_folder("f", 2)
    bench.until(lambda: len(bench.other.told("batch-too-large")) == 2)
    bench.broker.go_away()
    bench.broker.capabilities = Capabilities()
    bench.broker.come_back()
    (job,) = bench.until_closed()
    assert (2, 2, 2) == (job.seen, job.sent, job.stored)
    events = (bench.other.told("batch-too-large"), bench.other.told("batch-too-large-over"))
    assert [2, 2] == [len(told) for told in events]


@pytest.mark.parametrize("room", [0, 3])
def test_full_disk_of_the_ledger_only_delays(make_bench: MakeBench, room: int) -> None:
    """Nothing is published that is not durable, nothing is acknowledged; then everything goes on."""
    bench = make_bench(batch_images=16)
    agent = bench.start()
    writing = agent._ledger._to_write
    assert writing is not None
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages + room}")
    bench.drop_folder("f", 200)
    bench.until(lambda: bench.other.told("ledger-trouble"))
    bench.for_a_while(0.5)
    assert 1 == len(bench.other.told("ledger-trouble"))
    assert len(bench.other.rows) < 200
    writing.execute("PRAGMA max_page_count = 1000000")
    (job,) = bench.until_closed()
    assert (200, 200, 200) == (job.seen, job.stored, len(bench.other.rows))
    assert {1} == set(bench.other.deliveries.values())
    assert 1 == len(bench.other.told("ledger-trouble-over"))


def test_progress_is_told_while_a_job_runs(make_bench: MakeBench) -> None:
    """Open progress messages come at most twice a second, and never after the closing."""
    bench = make_bench(quiet_s=60.0)
    agent = bench.start()
    began = time.monotonic()
    bench.drop_folder("f", 100)
    bench.until(lambda: bench.other.progress and bench.other.progress[-1].stored == 100)
    be_quiet(agent)
    bench.until_closed()
    assert 1 <= len(bench.other.progress) <= 2 + 2 * (time.monotonic() - began)
    assert ["open"] * len(bench.other.progress) == [one.state for one in bench.other.progress]
    assert 100 == bench.other.progress[-1].stored


def test_status_tells_what_is_in_flight(make_bench: MakeBench) -> None:
    """The retained status has the window, the open jobs and the round trip."""
    bench = make_bench(batch_images=5, linger_ms=5000.0, resend_min_s=30.0)
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 5)

    def detail() -> dict[str, Any]:
        return {} if bench.other.status is None else bench.other.status.detail

    bench.until(lambda: detail().get("in_flight") == {"batches": 1, "images": 5})
    assert (1, True) == (detail()["jobs_open"], detail()["inbox_there"])


def test_settings_of_the_bench_can_be_replaced(make_bench: MakeBench) -> None:
    """A ledger that was left by an agent with a larger window is sent whole by one with a smaller one."""
    bench = make_bench(batch_images=2, window=16)  # room for all, however few a busy machine puts into each
    bench.start()
    bench.other.silent = True
    bench.drop_folder("f", 16)
    bench.until(lambda: len(bench.other.deliveries) == 16)
    bench.end(kill=True)
    bench.settings = with_settings(bench.settings, window=1)
    bench.other.silent = False
    bench.start()
    (job,) = bench.until_closed()
    assert (16, 16) == (job.seen, job.stored)


def test_two_agents_never_share_a_ledger(make_bench: MakeBench) -> None:
    """The second one of a name cannot start."""
    bench = make_bench()
    bench.start()
    other = make_bench()
    with pytest.raises(RuntimeError, match="another agent uses"):
        other.start_agent()


def test_message_of_a_batch_is_what_its_schema_says(bench: Workbench) -> None:
    """The first batch decodes, names its source and tells the agent's timings."""
    bench.drop("f/1.png")
    bench.until_closed()
    payloads = [copies[0] for copies in bench.other.batches.values() if copies[0][:1] != b"{"]
    batch = msgspec.msgpack.decode(payloads[0])
    assert ("shop", [1, 28, 28], ["read", "prepare", "wait"]) == (
        batch["source"],
        batch["shape"],
        list(batch["timings"]),
    )
