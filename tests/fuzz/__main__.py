"""Fuzz each target for a while: `python -m tests.fuzz [TARGET ...] [--seconds N]`; exit code 1 on a finding.

A finding lies in `var/fuzz/`, and so does the corpus, which is gone on from the next time. atheris is guided
by the lines of our own modules that an input reaches; it does not see into OpenCV and msgspec.
"""

import argparse
import importlib.util
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NAMES = ("messages", "topics", "images")
MEMORY_MB = 1024
INPUT_S = 10


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=10, help="for each target")
    parser.add_argument("--corpus", type=Path, default=PROJECT / "var" / "fuzz")
    parser.add_argument("--file", type=Path, help="run one file instead of fuzzing")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.targets) - set(NAMES):
        parser.error(f"no target {sorted(unknown)}; there are {', '.join(NAMES)}")
    if options.file is not None:
        return show(options.targets[0], options.file)
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here (it comes for Linux on x86_64): nothing was fuzzed")
        return 0
    if options.here:
        fuzz(options.targets[0], options.corpus, options.seconds)
    codes = [in_a_process(name, options.corpus, options.seconds) for name in options.targets]
    return 1 if any(codes) else 0


def show(name: str, file: Path) -> int:
    """Run one file; what it breaks is raised."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - fuzzing imports it instrumented

    TARGETS[name].run(file.read_bytes())
    print(f"{file}: keeps every promise of {name}")
    return 0


def in_a_process(name: str, corpus: Path, seconds: int) -> int:
    """Fuzz one target; it ends its process, and so may what it finds."""
    arguments = [name, "--here", "--seconds", str(seconds), "--corpus", str(corpus)]
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-6000:], sep="\n")
        print(f"fuzz {name}: a finding; see above and {corpus / name}")
    else:
        last = [line for line in done.stderr.splitlines() if line.startswith("Done")]
        print(f"fuzz {name}: nothing found; {last[-1] if last else 'no figures'}")
    return done.returncode


def fuzz(name: str, corpus: Path, seconds: int) -> None:
    """Fuzz within this process, which ends with it."""
    import atheris  # noqa: PLC0415 - nobody else needs it

    with atheris.instrument_imports(include=["broker.messages", "broker.topics", "model"]):
        from tests.fuzz.targets import TARGETS, findings  # noqa: PLC0415 - instrumented as it is loaded
    target = TARGETS[name]
    folder = corpus / name / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    for data in (*target.seeds(), *(file.read_bytes() for file in findings(name))):
        (folder / sha256(data).hexdigest()[:40]).write_bytes(data)
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={target.longest_bytes}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-timeout={INPUT_S}",
        f"-artifact_prefix={corpus / name}/",
        "-print_final_stats=1",
        str(folder),
    ]
    atheris.Setup([name, *arguments], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
