"""Tests of `./tailorbird` itself, with a project that needs no package from anywhere."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from broker.settings_reader import PROJECT

Launch = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND_LINE = "import os, sys\nprint('handed over', sys.argv[1:], sys.prefix, os.getcwd(), sep='|')\n"
TOOLS = ("sh", "dirname", "readlink", "cksum", "sleep", "grep", "tail", "rm", "mkdir", "mktemp")

pytestmark = pytest.mark.slow


def make_project(folder: Path) -> Path:
    """Make a folder that holds the launcher, an empty lock and a command line that prints."""
    (folder / "cli").mkdir(parents=True)
    shutil.copy(PROJECT / "tailorbird", folder)
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-serve.txt"):
        (folder / name).write_text("# nothing\n")
    (folder / "cli" / "__init__.py").touch()
    (folder / "cli" / "__main__.py").write_text(COMMAND_LINE)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that was never started, in a folder with a space in its name."""
    return make_project(tmp_path / "a shop's tailorbird")


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was started once."""
    folder = make_project(tmp_path_factory.mktemp("launcher") / "a shop's tailorbird")
    done = launch(folder, "status", "a b")
    assert 0 == done.returncode, done.stderr
    assert "first start: setting up" in done.stderr
    assert f"handed over|['status', 'a b']|{folder / '.venv'}|/\n" == done.stdout
    return folder


@pytest.fixture
def ready(first_start: Path, tmp_path: Path) -> Path:
    """A copy of a project that was started once, for one test to change."""
    folder = tmp_path / "moved there"
    shutil.copytree(first_start, folder, symlinks=True)
    return folder


def launch(
    project: Path, *arguments: str, cwd: Path | None = None, more: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the project's launcher."""
    environment = {**os.environ, "TAILORBIRD_PYTHON": sys.executable, "PIP_NO_INDEX": "1", **(more or {})}
    command = [str(project / "tailorbird"), *arguments]
    return subprocess.run(
        command, cwd=cwd or "/", env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def test_second_start_only_hands_over(ready: Path, tmp_path: Path) -> None:
    """Nothing is said and nothing is installed, in whatever folder; a moved project still works."""
    done = launch(ready, "status", "a b", cwd=tmp_path)
    assert (0, "") == (done.returncode, done.stderr)
    assert f"handed over|['status', 'a b']|{ready / '.venv'}|{tmp_path}\n" == done.stdout


def test_start_through_a_link_finds_the_project(ready: Path, tmp_path: Path) -> None:
    """A link in somebody's bin folder works."""
    link = tmp_path / "bin"
    link.mkdir()
    (link / "tailorbird").symlink_to(os.path.relpath(ready / "tailorbird", link))
    done = launch(link, "up")
    assert done.stdout.startswith(f"handed over|['up']|{ready / '.venv'}")


def test_test_command_installs_the_tools_as_well(ready: Path) -> None:
    """`test` and `check` need more than the others."""
    assert "setting up" in launch(ready, "test").stderr
    assert "" == launch(ready, "check").stderr


def test_setup_that_was_interrupted_begins_again(project: Path) -> None:
    """A half-made environment is thrown away."""
    broken = project / ".venv" / "bin"
    broken.mkdir(parents=True)
    (broken / "python").write_text("#!/bin/sh\nexit 1\n")
    (broken.parent / "unfinished").touch()
    done = launch(project)
    assert done.stdout.startswith("handed over"), done.stderr


def test_changed_lock_is_installed(ready: Path) -> None:
    """An update of the project brings its packages."""
    (ready / "requirements.txt").write_text("# still nothing\n")
    assert "setting up" in launch(ready).stderr
    assert "" == launch(ready).stderr


def test_python_that_is_gone_is_replaced(ready: Path) -> None:
    """After an upgrade of the system the environment is made anew."""
    settings = ready / ".venv" / "pyvenv.cfg"
    settings.write_text(settings.read_text().replace("executable = /", "executable = /gone/"))
    assert "setting up" in launch(ready).stderr


def test_two_starts_at_once_set_up_once(project: Path) -> None:
    """The second one waits for the first."""
    command = [str(project / "tailorbird")]
    environment = {**os.environ, "TAILORBIRD_PYTHON": sys.executable, "PIP_NO_INDEX": "1"}
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=100) for one in both]
    assert [0, 0] == [one.returncode for one in both], said
    assert 1 == sum("first start" in err for _, err in said)


def test_package_that_cannot_be_had_is_one_error_with_its_log(ready: Path) -> None:
    """The exit code is 3, and the next start tries again."""
    (ready / "requirements.txt").write_text("no-such-package==1 --hash=sha256:" + 64 * "0" + "\n")
    done = launch(ready)
    assert 3 == done.returncode
    assert "tailorbird: the set-up failed: ERROR:" in done.stderr
    assert "pip.log" in done.stderr


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with a few tools, an apt-get that may not be used, and a user who is not root."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    for name, code in {"id": "echo 1000", "sudo": "exit 1", "apt-get": "echo used; exit 1"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{code}\n")
        (folder / name).chmod(0o755)
    return folder


def test_missing_python_is_one_line_that_says_what_to_type(project: Path, bare: Path) -> None:
    """Who may not install packages is told how to."""
    done = launch(project, more={"PATH": str(bare), "TAILORBIRD_PYTHON": "/none"})
    assert 3 == done.returncode
    assert 1 == done.stderr.count("\n"), done.stderr
    assert "type: sudo apt-get install python3 python3-venv" in done.stderr


def test_python_without_venv_is_one_line_that_says_what_to_type(project: Path, bare: Path) -> None:
    """Debian's minimal Python has no ensurepip."""
    (bare / "python3").write_text('#!/bin/sh\ncase "$2" in *venv*) exit 1 ;; esac\n')
    (bare / "python3").chmod(0o755)
    done = launch(project, more={"PATH": str(bare), "TAILORBIRD_PYTHON": ""})
    assert 3 == done.returncode
    assert 1 == done.stderr.count("\n"), done.stderr
    assert "type: sudo apt-get install python3-venv" in done.stderr


def test_python_of_a_path_without_venv_is_named_as_its_package(project: Path, bare: Path) -> None:
    """The distribution knows python3.12-venv, and nothing of where the program lies."""
    python = bare / "python3.12"
    python.write_text('#!/bin/sh\ncase "$2" in *venv*) exit 1 ;; esac\n')
    python.chmod(0o755)
    done = launch(project, more={"PATH": str(bare), "TAILORBIRD_PYTHON": str(python)})
    assert 3 == done.returncode
    assert "type: sudo apt-get install python3.12-venv" in done.stderr


def test_log_of_an_installation_has_a_name_that_nobody_can_foresee(
    project: Path, bare: Path, tmp_path: Path
) -> None:
    """Root writes to it: it is new, and its owner's alone."""
    (bare / "id").write_text("#!/bin/sh\necho 0\n")
    done = launch(project, more={"PATH": str(bare), "TAILORBIRD_PYTHON": "/none", "TMPDIR": str(tmp_path)})
    assert 3 == done.returncode
    (log,) = tmp_path.glob("tailorbird-packages.*")
    assert f"the installation failed: used (whole log: {log}); type: sudo" in done.stderr
    assert (0o600, "used\n") == (log.stat().st_mode & 0o777, log.read_text())
    assert re.fullmatch(r"tailorbird-packages\.\w{6}", log.name)


def test_serving_machine_stays_without_what_only_training_needs(project: Path) -> None:
    """Once set up so, it needs the variable no more; `train` sets up the rest."""
    first = launch(project, "status", more={"TAILORBIRD_REQUIREMENTS": "requirements-serve.txt"})
    assert (0, 1) == (first.returncode, first.stderr.count("first start")), first.stderr
    second = launch(project, "status")
    assert (0, "") == (second.returncode, second.stderr)
    assert not (project / ".venv" / "requirements.txt.done").exists()
    third = launch(project, "train")
    assert 0 == third.returncode, third.stderr
    assert (project / ".venv" / "requirements.txt.done").exists()


def test_installing_sets_up_only_what_services_need(project: Path) -> None:
    """Half the packages, since nothing is trained by a service."""
    done = launch(project, "install")
    assert (0, 1) == (done.returncode, done.stderr.count("first start")), done.stderr
    assert (project / ".venv" / "requirements-serve.txt.done").exists()
    assert not (project / ".venv" / "requirements.txt.done").exists()


def test_unknown_requirements_are_one_line(ready: Path) -> None:
    """The file's name is wrong, and nothing is set up."""
    done = launch(ready, "status", more={"TAILORBIRD_REQUIREMENTS": "nothing.txt"})
    assert (3, 1) == (done.returncode, done.stderr.count("\n"))
    assert "there is no file" in done.stderr
