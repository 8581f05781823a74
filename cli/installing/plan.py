"""What `install` and `uninstall` do, as lists of steps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from broker.settings import Settings
from cli.installing import configuration, database, program
from cli.installing.health import wait_until_healthy
from cli.installing.machine import Machine
from cli.installing.places import Places
from cli.installing.program import Environment
from cli.installing.steps import Step
from cli.installing.units import TARGET, Chosen, chosen_before, rendered
from store.database import file_of

ALL = "tailorbird-*"


@dataclass
class Installation:
    """One installation, first or repeated, from `source` (a checkout, or the prefix itself)."""

    machine: Machine
    places: Places
    source: Path
    settings: Settings
    chosen: Chosen
    environment: Environment
    inbox: Path | None = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    _ran_besides: list[str] = field(default_factory=list)
    _has_stopped: bool = False

    @property
    def is_there(self) -> bool:
        """Whether something is installed that would be upgraded."""
        return (self.places.units / TARGET).exists()

    @property
    def _brings_code(self) -> bool:
        return self.source.resolve() != self.places.prefix.resolve()

    def steps(self) -> list[Step]:
        """Return all steps; those that find their work done already are left out."""
        parts = [*self._administration()]
        if self._brings_code:
            parts += self._next_release()
        if self.is_there:
            stop = f"stop {TARGET}: agent, predictors, store, broker"
            parts.append(Step(stop, self._stop, self._start, needs_whole=True))
            parts += self._backups()
        if self._brings_code:
            parts += self._swap()
        return [*parts, *self._units(), *self._beginning()]

    def _administration(self) -> Iterator[Step]:
        """Make what outlives every release: user, configuration, passwords, state, bundles."""
        places, machine = self.places, self.machine
        if not machine.has_user():
            command = ("useradd", "--system", "--user-group", "--no-create-home")
            where = ("--home-dir", places.state, "--shell", "/usr/sbin/nologin", machine.user)
            yield Step(f"make the system user {machine.user}", partial(machine.run, *command, *where))
        if not places.config.exists():
            write = partial(configuration.write_configuration, machine, places, self.inbox)
            yield Step(f"write {places.config} (root:{machine.user}, 0640)", write)
        credentials = self.settings.broker.credentials
        if "broker" in self.chosen.services and not configuration.has_credentials(self.settings):
            make = partial(configuration.write_credentials, self.settings)
            yield Step(f"make a password per account in {credentials} (root only)", make)
        state, inbox = self.settings.paths.state, self.settings.ingest_agent.inbox
        what = f"make {state} and the inbox {inbox} for {machine.user}, where they are not there"
        yield Step(what, partial(configuration.make_folders, machine, self.settings))
        bundles = self.source / "model" / "bundles"
        if places.models == self.settings.model.bundle and (
            new := configuration.new_bundles(bundles, places.models)
        ):
            add = partial(configuration.add_bundles, bundles, places.models)
            yield Step(f"add the model {', '.join(new)} to {places.models}", add)

    def _next_release(self) -> Iterator[Step]:
        places = self.places
        files = len(program.files_of(self.source))
        copy, away = partial(program.copy_program, self.source, places), partial(program.remove, places.next)
        yield Step(f"copy {files} files of {self.source} to {places.next}", copy, away)
        place = partial(program.place_environment, self.environment, places)
        yield Step(self.environment.what(places), place)
        yield Step(f"compile {places.next}", partial(program.finish_program, self.machine, places))

    def _backups(self) -> Iterator[Step]:
        """Copy the database and the ledger, or say whose task that is."""
        copies = database.copies(self.settings, self.began)
        if file_of(self.settings.store.url) is None:
            yield Step("the database is not SQLite: its backup is yours (pg_dump)")
        if copies.pairs():
            yield Step(
                f"copy {copies}",
                partial(database.save, copies),
                partial(database.restore_if_changed, copies),
                advice=f"Tailorbird stays stopped: {copies.by_hand}, then sudo systemctl start {TARGET}",
            )

    def _swap(self) -> Iterator[Step]:
        places = self.places
        kept = f", keeping the one before as {places.previous}" if places.prefix.exists() else ""
        swap, back = partial(program.swap_in, places), partial(program.swap_back, places)
        yield Step(f"move {places.next} to {places.prefix}{kept}", swap, back)
        if not places.link.exists():
            link, unlink = partial(_link, places), partial(_unlink, places)
            yield Step(f"link {places.link} to {places.prefix / 'tailorbird'}", link, unlink)

    def _units(self) -> Iterator[Step]:
        folder = self.places.units
        new = rendered(self.source / "systemd", self.places, self.settings, self.chosen)
        old = {path.name: path.read_text("utf-8") for path in installed_units(folder)}
        write = partial(self._write_units, new)
        undo = partial(self._write_units, old)
        names = ", ".join(name.removeprefix("tailorbird-") for name in new)
        gone = sorted(set(old) - set(new))
        less = f"; remove {', '.join(gone)}" if gone else ""
        yield Step(f"write {len(new)} units to {folder}: {names}{less}; systemctl daemon-reload", write, undo)

    def _write_units(self, texts: dict[str, str]) -> None:
        for path in installed_units(self.places.units):
            if path.name not in texts:
                path.unlink()
        for name, text in texts.items():
            (self.places.units / name).write_text(text, encoding="utf-8")
            (self.places.units / name).chmod(0o644)
        self.machine.run("systemctl", "daemon-reload")

    def _beginning(self) -> Iterator[Step]:
        enabled = [TARGET] if not self.is_there else []  # an administrator may have disabled it since
        enabled += [timer for timer in self.chosen.timers() if not (self.places.units / timer).exists()]
        if enabled:
            enable = partial(self.machine.run, "systemctl", "enable", "--quiet", *enabled)
            disable = partial(self.machine.run, "systemctl", "disable", "--quiet", *enabled)
            yield Step(f"systemctl enable {' '.join(enabled)}", enable, disable)
        begin = [TARGET, *self.chosen.timers()]
        yield Step(
            f"systemctl start {' '.join(begin)} (the store migrates the database)", self._start, self._stop
        )
        yield Step(
            "wait until the units are active, each service is online, and a canary came through", self._look
        )

    def _start(self) -> None:
        """Ask for it, and wait for nothing: `_look` sees what becomes of it."""
        self.machine.run("systemctl", "reset-failed", ALL, check=False)
        there = {path.name for path in installed_units(self.places.units)}
        timers = [timer for timer in self.chosen.timers() if timer in there]
        more = [unit for unit in self._ran_besides if re.sub(r"@.*\.", "@.", unit) in there]
        self.machine.run("systemctl", "start", "--no-block", TARGET, *timers, *more)

    def _stop(self) -> None:
        if not self._has_stopped:
            self._ran_besides = self._running_besides()
        self._has_stopped = True
        self.machine.run("systemctl", "stop", TARGET, f"{ALL}.service", *self.chosen.timers(), check=False)

    def _running_besides(self) -> list[str]:
        """Return what runs and no target starts: a shadow, an export that is under way."""
        command = ("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating")
        said = self.machine.run(*command, f"{ALL}.service", check=False)
        running = [line.split()[0] for line in said.splitlines() if line.strip()]
        before = chosen_before(self.places.units / TARGET) or self.chosen
        ours = {*before.units(), *self.chosen.units()}
        return [unit for unit in running if unit not in ours]

    def _look(self) -> None:
        wait_until_healthy(self.machine, self.places, self.settings, self.chosen, self.began)


def installed_units(folder: Path) -> list[Path]:
    """Return our units that are installed."""
    return sorted(path for path in folder.glob("tailorbird*") if path.is_file() and not path.is_symlink())


def _link(places: Places) -> None:
    places.link.parent.mkdir(parents=True, exist_ok=True)
    places.link.unlink(missing_ok=True)
    places.link.symlink_to(places.prefix / "tailorbird")


def _unlink(places: Places) -> None:
    if not places.link.exists():  # it leads nowhere again
        places.link.unlink(missing_ok=True)


def removal(machine: Machine, places: Places, *, purge: bool) -> list[Step]:
    """Return the steps of `uninstall`; with `purge` configuration, passwords, data and user go as well.

    A state that the configuration puts elsewhere stays: what else lies there nobody here can know.
    """
    units = installed_units(places.units)
    steps = []
    if units:
        names = [path.name for path in units]
        plain = [name for name in names if "@." not in name and name != "tailorbird-close.target"]
        stop = partial(
            machine.run, "systemctl", "stop", TARGET, f"{ALL}.timer", f"{ALL}.service", check=False
        )
        steps.append(Step(f"stop {TARGET}: agent, predictors, store, broker", stop))
        disable = partial(machine.run, "systemctl", "disable", "--quiet", *plain, check=False)
        steps.append(Step(f"systemctl disable {' '.join(plain)}", disable))
        remove = partial(_remove_units, machine, places)
        steps.append(Step(f"remove {len(names)} units of {places.units}; systemctl daemon-reload", remove))
    folders = [places.link, places.previous, places.next, places.prefix]
    if purge:
        folders = [places.configuration, places.state, *folders]
    there = [folder for folder in folders if folder.exists() or folder.is_symlink()]
    steps += [Step(f"remove {folder}", partial(program.remove, folder)) for folder in there]
    if purge and machine.has_user():
        steps.append(Step(f"remove the user {machine.user}", partial(machine.run, "userdel", machine.user)))
    return steps


def _remove_units(machine: Machine, places: Places) -> None:
    for path in installed_units(places.units):
        path.unlink()
    program.remove(places.units / f"{TARGET}.wants")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "reset-failed", ALL, check=False)
