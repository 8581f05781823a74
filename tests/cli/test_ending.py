"""Tests of how signals are asked about."""

import os
import pty
import signal

import pytest

from cli.ending import Ending
from cli.hangup import _is_gone


@pytest.mark.usefixtures("hangup_is_heard")
def test_hangup_ends_a_command_and_reloads_a_line() -> None:
    """Only `up` has something to reload."""
    with Ending() as ending:
        os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            ending.check()
    with Ending(reloads=True) as ending:
        os.kill(os.getpid(), signal.SIGHUP)
        ending.check()
        assert [True, False] == [ending.hung_up(), ending.hung_up()]


def test_hangup_that_is_ignored_stays_so() -> None:
    """Whoever typed nohup meant it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ending(reloads=True) as ending:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not ending.hung_up()
            assert signal.SIG_IGN is signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_terminal_that_was_closed_is_noticed() -> None:
    """A pipe never is one."""
    master, terminal = pty.openpty()
    pipe = os.pipe()
    try:
        assert not _is_gone(terminal)
        os.close(master)
        assert _is_gone(terminal)
        assert not _is_gone(pipe[1])
    finally:
        for descriptor in (terminal, *pipe):
            os.close(descriptor)
