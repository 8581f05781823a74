"""`up`: the whole line on this machine until Ctrl-C."""

import contextlib
import shlex
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from broker.credentials import read_credentials
from broker.listeners import is_local, own_listener
from broker.messages import Event, JobSummary, Message
from broker.private_files import make_private_folder, write_private
from broker.settings import Settings
from broker.topics import Topics
from cli.ending import Ending
from cli.flood import Flood
from cli.given import given
from cli.screen import answers, say
from dashboard.place import url_of

if TYPE_CHECKING:
    from cli.daily import Daily
    from cli.retraining import Retraining
    from cli.running import RunningLine

STEP_S = 0.2
HEAR_S = 15.0
"""How long `up` waits to hear the line itself: who drops a folder at once shall see what comes of it."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)


def up(context: typer.Context) -> None:
    """Run the whole line on this machine.

    Broker, store, predictors and agent, until Ctrl-C. A child that dies is started again. SIGHUP has the
    services read the configuration again.
    """
    from cli.daily import Daily
    from cli.retraining import Retraining
    from cli.running import RunningLine

    with Ending(reloads=True) as ending, RunningLine(given(context), _say, ending) as line:
        try:
            line.wait_until_ready()
            line.wait_for_page()
            with (
                Retraining(given(context), line.settings, _say) as retraining,
                Daily(given(context), line.settings, _say) as daily,
            ):
                _run(line, retraining, daily)
        except KeyboardInterrupt:
            _say("stopping: what is under way is finished first (Ctrl-C again to stop at once)")


def _say(text: str) -> None:
    """Say something to a terminal that may just have been closed: the line goes on."""
    with contextlib.suppress(OSError):
        say(text)


def _run(line: "RunningLine", retraining: "Retraining", daily: "Daily") -> None:
    from cli.reader import Reader

    topics = Topics(line.settings.broker.root)
    flood = Flood()
    with Reader(line.settings, [topics.events(), topics.summaries(), topics.alerts()]) as reader:
        deadline = time.monotonic() + HEAR_S
        while not reader.connected and time.monotonic() < deadline:
            line.step()
            time.sleep(0.01)
        for text in welcome(line.settings):
            answers().print(text)
        while True:
            for _, message in reader.hear(STEP_S):
                _tell(message, flood)
                retraining.hear(message)
            for kind, count in flood.over(time.monotonic()):
                _say(f"{kind}: {count:,} more; the event log has them all")
            retraining.step()
            daily.step()
            line.step()


def _tell(message: Message, flood: Flood) -> None:
    text = told(message)
    kind = f"{message.service}-{message.instance}: {message.event}" if isinstance(message, Event) else "jobs"
    if text and flood.let_through(kind, time.monotonic()):
        _say(text)


def told(message: Message) -> str:
    """Return what the terminal says of a message: warnings, errors, and each job that is done."""
    match message:
        case Event(level="warning" | "error") | Event(event="alert-over"):
            return f"{message.service}-{message.instance}: {message.event}: {message.detail}"
        case JobSummary():
            failed = f", {message.failed} failed" if message.failed else ""
            where = message.folder or "the inbox's root"
            return f"{where}: {message.stored} classified{failed} in {message.process_s:.1f} s"
    return ""


def welcome(settings: Settings) -> Iterator[str]:
    """Say where to drop, where to look and how to subscribe."""
    agent = settings.ingest_agent
    yield "Tailorbird is running."
    yield f"  drop photos, or folders of photos, into  {agent.inbox}"
    yield "  results.csv appears beside them; ./tailorbird results --follow shows them as they come"
    if page := page_line(settings):
        yield f"  look at it with a browser{_where(settings)}: {page}"
    yield f"  subscribe  {subscribe_line(settings)}"
    yield f"  logs       {settings.paths.state / 'log'}"
    yield "  Ctrl-C stops it."


def page_line(settings: Settings) -> str:
    """Return the page's address, "" where there is none."""
    page = settings.dashboard
    return url_of(page) if page.enabled and page.port else ""


def _where(settings: Settings) -> str:
    return " on this machine" if is_local(settings.dashboard.host) else ""


def subscribe_line(settings: Settings) -> str:
    """Return a line that can be typed as it is, with the reader's account, whose options it writes."""
    broker, at = settings.broker, own_listener(settings.broker)
    account = read_credentials(broker.credentials, "reader")
    words = ["mosquitto_sub", "-V", "5"]
    words += ["--unix", at.host] if at.host.startswith("/") else ["-h", at.host, "-p", str(at.port)]
    words += ["--cafile", str(broker.tls_ca)] if at.tls else []
    words += ["-t", Topics(broker.root).predictions()]
    if account is None:
        return shlex.join(words)
    # mosquitto_sub reads options from a file of its name: so neither the terminal, a log that it may be
    # written to, nor the list of processes shows the password.
    folder = settings.paths.state / "reader"
    make_private_folder(folder)
    write_private(folder / "mosquitto_sub", f"-u {account.user}\n-P {account.password}\n")
    return f"XDG_CONFIG_HOME={shlex.quote(str(folder))} {shlex.join(words)}"
