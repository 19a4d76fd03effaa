"""Starting and stopping the project's processes in tests, always with a deadline."""

from __future__ import annotations

import queue
import signal
import subprocess
import threading


def first_line(process: subprocess.Popen[str], seconds: float) -> str:
    """The first line that the process prints; keeps reading after it so that the pipe never fills up."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.strip())
        lines.put("")

    threading.Thread(target=read, name="process-output", daemon=True).start()
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        raise AssertionError(f"{process.args!r} printed nothing in {seconds} s") from None


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
    """Ends a process and waits for it; one that does not obey is killed and the test fails."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"{process.args!r} did not stop within {seconds} s of {how.name}") from None
    finally:
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
