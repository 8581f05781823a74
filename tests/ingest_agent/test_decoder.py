"""Decoding in a process of its own: what crashes, hangs or breaks out costs one image."""

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest_agent import decoder as decoder_module
from ingest_agent.decoder import Bounds, Decoder
from ingest_agent.decoder_process import ANSWER, PIXELS, REASON
from ingest_agent.preparing import CannotPrepare, Prepared, Unprepared, prepared
from ingest_agent.system_calls import ARCHITECTURES, EQUAL, INSTRUCTION, LOAD, RETURN, program
from model.preprocessing import InputSpec
from tests.ingest_agent.workbench import picture
from tests.model.hostile_files import jpeg_of_countless_scans
from tests.waiting import until

SPEC = InputSpec()
ENDLESS = 1000
"""Patience for a machine so busy that a second of its processor takes many on the clock."""


def nothing() -> None:
    """Do nothing at each image."""


FIXTURES = Path(__file__).parents[1] / "model" / "fixtures"
# A decoder in whose hands some images do what an image library with a bug would do.
CURSED = """
import ctypes, os, signal, sys, time
from ingest_agent import decoder_process
from ingest_agent.preparing import Unprepared, prepared

def cursed(data, spec):
    if data == b"segfault":
        ctypes.string_at(0)
    if data == b"abort":
        os.abort()
    if data == b"exit":
        os._exit(7)
    if data == b"spin":
        while True: pass
    if data == b"sleep":
        time.sleep(1000)
    if data == b"memory":
        return Unprepared("not-an-image", str(len(bytearray(2_000_000_000))))
    if data == b"open":
        return Unprepared("not-an-image", open("/etc/passwd").read())
    if data == b"socket":
        import socket
        return Unprepared("not-an-image", str(socket.socket()))
    if data == b"fork":
        return Unprepared("not-an-image", str(os.fork()))
    if data.startswith(b"try "):
        exec(data[4:])
        return Unprepared("not-an-image", "it did")
    if data.startswith(b"say "):
        os.write(int(sys.argv[1]), data[4:])
        return prepared(b"", spec)
    return prepared(data, spec)

decoder_process.prepared = cursed
decoder_process.main()
"""


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Decoder]]:
    """`make(cpu_s=1.0)`: a decoder, ended after the test."""
    monkeypatch.setattr(decoder_module, "DECODE_PATIENCE", ENDLESS)
    made: list[Decoder] = []

    def one(cpu_s: float = 10.0, memory_mb: int = 640) -> Decoder:
        made.append(Decoder(Bounds(cpu_s, memory_mb)))
        return made[-1]

    yield one
    for decoder in made:
        decoder.interrupt()
        decoder.close()


@pytest.fixture
def cursed(make: Callable[..., Decoder], monkeypatch: pytest.MonkeyPatch) -> Decoder:
    """A decoder that some images crash."""
    monkeypatch.setattr(decoder_module, "COMMAND", (sys.executable, "-c", CURSED))
    return make(cpu_s=0.5)


def pid_of(decoder: Decoder) -> int:
    """Return the number of the decoder's process."""
    assert decoder._process is not None
    return decoder._process._process.pid


def reasons(answers: list[Prepared | Unprepared]) -> list[str]:
    """Return each image's reason, "" where it became pixels."""
    return ["" if isinstance(answer, Prepared) else answer.reason for answer in answers]


def test_process_answers_as_the_function_does(make: Callable[..., Decoder]) -> None:
    """The same pixels bit for bit, and the same reasons in the same words, for every format."""
    files = [file.read_bytes() for file in sorted(FIXTURES.iterdir())]
    files += [b"", b"hello", files[0][:99], *(picture(seed) for seed in range(100))]
    found = make().prepare(files, SPEC, nothing)
    here = [prepared(data, SPEC) for data in files]
    assert [one.pixels if isinstance(one, Prepared) else one for one in here] == [
        one.pixels if isinstance(one, Prepared) else one for one in found
    ]


def test_spec_may_change_from_one_request_to_the_next(make: Callable[..., Decoder]) -> None:
    """Each request brings its own."""
    decoder = make()
    sizes = []
    for spec in (SPEC, InputSpec(height=56, width=40), SPEC, InputSpec(max_bytes=10)):
        (answer,) = decoder.prepare([picture()], spec, nothing)
        sizes.append(len(answer.pixels) if isinstance(answer, Prepared) else answer.reason)
    assert [784, 2240, 784, "too-large"] == sizes


def test_process_is_used_again(make: Callable[..., Decoder]) -> None:
    """It is started once."""
    decoder = make()
    pids = set()
    for _ in range(3):
        assert [""] == reasons(decoder.prepare([picture()], SPEC, nothing))
        pids.add(pid_of(decoder))
    assert 1 == len(pids)


@pytest.mark.parametrize(
    ("curse", "how"), [(b"segfault", "SIGSEGV"), (b"abort", "SIGABRT"), (b"exit", "code 7")]
)
def test_crash_costs_the_image_that_crashed(cursed: Decoder, curse: bytes, how: str) -> None:
    """All others, before and behind it, become pixels."""
    answers = cursed.prepare([picture(1), picture(2), curse, picture(3), curse, picture(4)], SPEC, nothing)
    assert ["", "", "crashes-decoder", "", "crashes-decoder", ""] == reasons(answers)
    assert isinstance(answers[2], Unprepared)
    assert how in answers[2].detail


def test_image_that_takes_too_long_is_given_up(cursed: Decoder) -> None:
    """By the processor's time it took."""
    answers = cursed.prepare([picture(1), b"spin", picture(2)], SPEC, nothing)
    assert ["", "takes-too-long", ""] == reasons(answers)


def test_picture_that_is_slow_to_decode_is_given_up(make: Callable[..., Decoder]) -> None:
    """A real one: 36 megapixels in ninety scans, of which each goes over the whole."""
    slow = jpeg_of_countless_scans(6000, 80)
    answers = make(cpu_s=0.2).prepare([picture(1), slow, picture(2)], SPEC, nothing)
    assert ["", "takes-too-long", ""] == reasons(answers)


def test_process_that_does_nothing_any_more_is_ended(
    cursed: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sleeping costs no processor's time; it is waited for all the same, but not for ever."""
    monkeypatch.setattr(decoder_module, "DECODE_PATIENCE", 2)
    assert ["crashes-decoder"] == reasons(cursed.prepare([b"sleep"], SPEC, nothing))
    monkeypatch.setattr(decoder_module, "DECODE_PATIENCE", ENDLESS)
    assert [""] == reasons(cursed.prepare([picture()], SPEC, nothing))


@pytest.mark.parametrize("curse", [b"open", b"socket"])
def test_process_opens_nothing(cursed: Decoder, curse: bytes) -> None:
    """Neither a file nor a way out; the image ends as one that broke the process."""
    assert ["crashes-decoder", ""] == reasons(cursed.prepare([curse, picture()], SPEC, nothing))


def test_process_starts_no_other(make: Callable[..., Decoder], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even as root, whose processes the kernel does not count: it becomes somebody else first."""
    nobody = CURSED.replace(
        "decoder_process.main()", "os.geteuid() or os.setuid(65534)\ndecoder_process.main()"
    )
    monkeypatch.setattr(decoder_module, "COMMAND", (sys.executable, "-c", nobody))
    files = [file.read_bytes() for file in sorted(FIXTURES.iterdir())]
    answers = make().prepare([b"fork", picture(), *files], SPEC, nothing)
    assert ["crashes-decoder", ""] == reasons(answers)[:2]
    assert [reason for reason in reasons(answers)[2:] if reason] == [
        one.reason for one in (prepared(data, SPEC) for data in files) if isinstance(one, Unprepared)
    ]


@pytest.mark.skipif(
    platform.machine() not in ARCHITECTURES, reason="system calls are filtered elsewhere only"
)
def test_process_touches_neither_files_nor_processes(cursed: Decoder, tmp_path: Path) -> None:
    """Neither a database of the same user, nor the agent, whose child it is."""
    file = tmp_path / "database"
    file.write_text("rows")
    file.chmod(0o640)
    pid = os.getpid()
    for attempt in (
        f"os.unlink({str(file)!r})",
        f"os.rename({str(file)!r}, {str(file)!r} + '2')",
        f"os.chmod({str(file)!r}, 0o666)",
        f"os.truncate({str(file)!r}, 0)",
        f"os.utime({str(file)!r}, (0, 0))",
        f"os.mkdir({str(tmp_path / 'folder')!r})",
        f"os.kill({pid}, 0)",
        "os.execv('/bin/true', ['true'])",
        f"1 / (ctypes.CDLL(None).process_vm_readv({pid}, None, 0, None, 0, 0) + 1)",
    ):
        answers = cursed.prepare([f"try {attempt}".encode(), picture()], SPEC, nothing)
        assert ["crashes-decoder", ""] == reasons(answers), attempt
    assert (["database"], "rows", 0o640) == (
        [one.name for one in tmp_path.iterdir()],
        file.read_text(),
        file.stat().st_mode & 0o777,
    )


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_filter_of_system_calls_is_what_the_kernel_takes(machine: str) -> None:
    """Eight bytes an instruction, fewer than its 4096, and no jump beyond the end."""
    steps = list(INSTRUCTION.iter_unpack(program(machine, 4711)))
    assert len(steps) < 4096
    for at, (code, yes, no, _) in enumerate(steps):
        assert code in {LOAD, EQUAL, RETURN}
        assert at + 1 + max(yes, no) < len(steps) or code == RETURN


def test_process_takes_no_more_memory_than_it_is_given(cursed: Decoder) -> None:
    """Two gigabytes are refused."""
    assert ["crashes-decoder", ""] == reasons(cursed.prepare([b"memory", picture()], SPEC, nothing))


@pytest.mark.parametrize(
    "said",
    [
        b"\x00" * 40,
        b"\xff" * 40,
        ANSWER.pack(PIXELS, 0.0, 2**32 - 1),
        ANSWER.pack(PIXELS, float("nan"), 784) + bytes(784),
        ANSWER.pack(REASON, 0.0, 2**31),
        ANSWER.pack(REASON, 0.0, 4) + b"[1]\n",
        ANSWER.pack(REASON, 0.0, 9) + b'["A","b"]',
        ANSWER.pack(REASON, 0.0, 4) + b"\xff[[[",
    ],
)
def test_answer_that_is_none_is_not_believed(cursed: Decoder, said: bytes) -> None:
    """A process that was broken into may say anything; it is replaced, and the image is a failure."""
    answers = cursed.prepare([picture(1), b"say " + said, picture(2)], SPEC, nothing)
    assert ["", "crashes-decoder", ""] == reasons(answers)


def test_killed_process_costs_no_image(make: Callable[..., Decoder]) -> None:
    """Somebody else, or the lack of memory, killed it: once is nobody's fault."""
    decoder = make()
    decoder.prepare([picture()], SPEC, nothing)
    for _ in range(3):
        os.kill(pid_of(decoder), signal.SIGKILL)
        assert [""] * 5 == reasons(decoder.prepare([picture(seed) for seed in range(5)], SPEC, nothing))


def test_kills_one_after_the_other_cost_no_image(make: Callable[..., Decoder]) -> None:
    """Though images go one at a time by then: each is given twice before it is blamed."""
    decoder, kills = make(), 0

    def killed() -> None:
        nonlocal kills
        process = None if decoder._process is None else decoder._process._process
        if process is not None and process.returncode is None and kills < 3:
            process.kill()
            kills += 1

    decoder.prepare([picture()], SPEC, nothing)
    os.kill(pid_of(decoder), signal.SIGKILL)
    assert [""] * 5 == reasons(decoder.prepare([picture(seed) for seed in range(5)], SPEC, killed))
    assert 3 == kills


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/missing/python",), "No such file"),
        ((sys.executable, "-c", "raise SystemExit('no image library')"), "no image library"),
        ((sys.executable, "-c", "import os; os.abort()"), "SIGABRT"),
        ((sys.executable, "-c", "import missing_module"), "missing_module"),
    ],
)
def test_process_that_cannot_start_is_the_worlds_trouble(
    make: Callable[..., Decoder], monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], words: str
) -> None:
    """It says why, is not tried all the time, and works once the trouble is over."""
    whole = decoder_module.COMMAND
    monkeypatch.setattr(decoder_module, "COMMAND", command)
    decoder = make()
    for _ in range(3):
        with pytest.raises(CannotPrepare, match=words):
            decoder.prepare([picture()], SPEC, nothing)
    assert decoder._next_start > time.monotonic()
    decoder._next_start = 0.0
    monkeypatch.setattr(decoder_module, "COMMAND", whole)
    assert [""] == reasons(decoder.prepare([picture()], SPEC, nothing))


def test_thread_that_waits_is_let_go_when_the_agent_stops(cursed: Decoder) -> None:
    """A picture under way is given up at once, and no other process is started."""
    ended: list[str] = []

    def work() -> None:
        try:
            cursed.prepare([b"sleep"], SPEC, nothing)
        except CannotPrepare as error:
            ended.append(str(error))

    cursed.start()
    thread = threading.Thread(target=work)
    thread.start()
    pid = pid_of(cursed)
    cursed.interrupt()
    thread.join(60)
    assert ["The agent stops."] == ended
    assert not Path(f"/proc/{pid}").exists()


def test_interrupted_between_two_calls_leaves_nothing_behind(make: Callable[..., Decoder]) -> None:
    """Its process is waited for by whoever asks next."""
    decoder = make()
    decoder.start()
    assert decoder._process is not None
    process = decoder._process._process
    decoder.interrupt()
    with pytest.raises(CannotPrepare, match="The agent stops"):
        decoder.prepare([picture()], SPEC, nothing)
    assert -signal.SIGKILL == process.returncode


def test_process_ends_with_the_agent() -> None:
    """However that ends: its socket closes."""
    code = """
import os, time
from ingest_agent.decoder import Bounds, Decoder
decoder = Decoder(Bounds(10.0, 640))
decoder.start()
print(decoder._process._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, check=False)
    state = Path(f"/proc/{int(done.stdout)}/stat")

    def is_gone() -> bool:
        # In a container whose first process collects nobody it stays as a zombie.
        try:
            return state.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(is_gone)


def test_process_knows_nothing_of_the_agents_environment(
    make: Callable[..., Decoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passwords and paths in it are none of its business."""
    monkeypatch.setenv("TAILORBIRD_SECRET", "hunter2")
    decoder = make()
    decoder.start()
    try:
        environment = Path(f"/proc/{pid_of(decoder)}/environ").read_bytes()
    except PermissionError:
        return  # it is not to be looked into, not even by us
    assert b"hunter2" not in environment
