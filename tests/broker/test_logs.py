"""The log's lines: what they look like, and that nothing in a value can forge one."""

import io
import json
import logging
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.logs import Json, KeyValue, Prefixed, is_journal, last_word, log_line, set_up_logging
from broker.settings import Log

TEXTS = st.text(st.characters(), max_size=200)
PAIR = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "]+)')


def record(event: str, **fields: Any) -> logging.LogRecord:
    """Return one record at a known moment."""
    made = logging.LogRecord("store", logging.WARNING, "f", 1, event, (), None)
    made.created, made.msecs = 1_770_000_000.089, 89.0
    made.fields = fields
    return made


def test_line_tells_when_how_bad_who_what_and_the_rest() -> None:
    """UTC with milliseconds; seconds without noise; nothing for what is empty."""
    line = KeyValue().format(
        record(
            "batch-stored", batch_id="b1", job_id="", images=256, commit_s=0.01210000001, done=True, no=None
        )
    )
    assert (
        "2026-02-02T02:40:00.089Z WARNING store batch-stored batch_id=b1 images=256 commit_s=0.0121 done=true"
        == line
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", '"a b"'),
        ('say "x"', '"say \\"x\\""'),
        ("a\\n", '"a\\\\n"'),
        ("two\nlines\r\t", '"two\\nlines\\r\\t"'),
        ("\x1b[31m\x00\u2028\u202e\x85", '"\\u001b[31m\\u0000\\u2028\\u202e\\u0085"'),
        ("name\udcff", '"name\\udcff"'),
        (b"bytes\xff", '"bytes\\\\xff"'),
        ("größe=1", '"größe=1"'),
        (float("nan"), "nan"),
    ],
)
def test_value_is_quoted_where_it_is_not_plain(value: object, shown: str) -> None:
    """Line breaks, escapes, quotes, and halves of characters are written out."""
    assert KeyValue().format(record("e", x=value)).endswith(f" x={shown}")


@given(TEXTS, TEXTS)
def test_no_value_forges_a_line_or_a_field(first: str, second: str) -> None:
    """Any text is one value of one line, which a terminal can show and UTF-8 can hold."""
    line = KeyValue().format(record("image-failed", image=first or "-", reason=second or "-"))
    assert [line] == line.splitlines()
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", line)
    line.encode("utf-8")
    pairs = PAIR.findall(line)
    assert ["image", "reason"] == [name for name, _ in pairs]
    assert line.endswith(" image-failed" + "".join(f" {name}={value}" for name, value in pairs))


@given(TEXTS)
def test_json_line_gives_any_text_back(text: str) -> None:
    """One object in ASCII."""
    line = Json().format(record("e", detail=text or "-"))
    assert [line] == line.splitlines()
    assert line.isascii()
    found = json.loads(line)
    assert {
        "time": "2026-02-02T02:40:00.089Z",
        "level": "warning",
        "service": "store",
        "event": "e",
        "detail": text or "-",
    } == found


def test_line_of_a_library_keeps_its_words_in_one_value() -> None:
    """Its text is no field of ours, whatever stands in it."""
    made = logging.LogRecord("paho", logging.INFO, "f", 1, "got %s", ("x\nbatch_id=b1",), None)
    assert KeyValue().format(made).endswith(' INFO paho log message="got x\\nbatch_id=b1"')


def test_endless_value_is_cut() -> None:
    """And says so."""
    assert KeyValue().format(record("e", x="a" * 5000)).endswith('… (1000 more)"')


def test_traceback_is_one_value() -> None:
    """A defect is one line, too."""
    made = record("defect")
    made.exc_info = (RuntimeError, RuntimeError("two\nlines"), None)
    assert [KeyValue().format(made)] == KeyValue().format(made).splitlines()
    assert "RuntimeError: two | lines" in json.loads(Json().format(made))["traceback"]


@pytest.mark.parametrize(("level", "number"), [("DEBUG", 7), ("INFO", 6), ("WARNING", 4), ("ERROR", 3)])
def test_prefix_is_the_priority_of_syslog(level: str, number: int) -> None:
    """As sd-daemon(3) numbers them."""
    made = record("e")
    made.levelno = getattr(logging, level)
    assert Prefixed(KeyValue()).format(made).startswith(f"<{number}>2026-")


def test_journal_is_known_by_its_file_and_not_by_the_variable_alone(tmp_path: Path) -> None:
    """A child whose output goes to a file has inherited the variable."""
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "log").open("w") as other:
        found = os.fstat(journal.fileno())
        environ = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert [True, False] == [is_journal(journal, environ), is_journal(other, environ)]
        assert not is_journal(journal, {})
    assert not is_journal(io.StringIO(), environ)


def test_last_word_is_an_error_in_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a plain line everywhere else."""
    with (tmp_path / "journal").open("w+") as journal:
        monkeypatch.setattr("sys.stderr", journal)
        found = os.fstat(journal.fileno())
        last_word("store: no\nroom", {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"})
        last_word("store: no room", {})
        journal.seek(0)
        assert "<3>store: no room\nstore: no room\n" == journal.read()


@pytest.fixture
def own_logging() -> Any:
    """Leave the root logger as it was found."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def test_logging_set_up_again_replaces_what_was(own_logging: None) -> None:
    """A reload changes level and form, and no line comes twice."""
    out = io.StringIO()
    log = logging.getLogger("store")
    set_up_logging(Log(level="warning"), {}, out)
    log_line(log, "info", "quiet", x=1)
    set_up_logging(Log(level="debug", format="json", prefix="always"), {}, out)
    log_line(log, "debug", "loud", x=1)
    (line,) = out.getvalue().splitlines()
    assert line.startswith("<7>{")
    assert {"event": "loud", "x": 1}.items() <= json.loads(line[3:]).items()
