"""The one line in the log for each batch that went out, and for each that was answered."""

from broker.line import Line
from ingest_agent.grouping import Unanswered
from ingest_agent.ledger_records import Answer


def tell_sent(line: Line, batch_id: str, out: Unanswered, sends: int, now: float) -> None:
    """Write down that a batch went out; the first time is no news until its answer comes."""
    first = sends == 1
    line.log(
        "debug" if first else "info",
        "batch-sent" if first else "batch-resent",
        batch_id=batch_id,
        job_id=out.job.job_id,
        kind=out.kind,
        images=len(out.left),
        sends=sends,
        waited_s=now - out.since,
    )


def tell_answered(line: Line, out: Unanswered, answer: Answer, sends: int, now: float) -> None:
    """Write down that a batch is answered; a failure and a job that closes have an event of their own."""
    line.log(
        "info" if out.kind == "pixels" else "debug",
        "batch-answered",
        batch_id=answer.batch_id,
        job_id=out.job.job_id,
        kind=out.kind,
        stored=answer.stored,
        failed=answer.failed,
        left=None if answer.done else len(out.left),
        sends=sends,
        answer_s=now - out.since,
    )
