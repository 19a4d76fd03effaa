"""What holds a process of the endpoint together: its lock, its log, its port, and its parent."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import signal
import socket
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO

LOG_FILE = "localbedrock.log"

_CHATTY = ("ministack", "hypercorn", "botocore", "boto3", "urllib3")
"""Loggers whose warnings are about a caller's mistake or an emulator's habit, not about the endpoint."""


class StartError(Exception):
    """The endpoint cannot start; the message is one sentence for whoever started it."""


def lock(data_dir: Path) -> IO[str]:
    """Takes the data directory for this process; it is free again when the file is closed or the process
    ends.
    """
    file = (data_dir / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StartError(
            f"The data directory {data_dir} is in use by process {owner}: "
            "stop that one, or choose another directory with --data-dir."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def bind(port: int) -> socket.socket:
    """A socket bound to 127.0.0.1, not yet listening; port 0 takes any free one."""
    # With the protocol named, asyncio turns off Nagle's algorithm, which costs 40 ms per answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"Port {port} on 127.0.0.1 is taken: stop what uses it, or choose another with --port."
            ) from None
        raise StartError(f"Port {port} on 127.0.0.1 cannot be opened: {error.strerror}.") from None
    return listener


def set_up_logging(data_dir: Path) -> None:
    """Warnings and errors go to stderr and to a file in the data directory; a normal run writes neither."""
    file = RotatingFileHandler(data_dir / LOG_FILE, maxBytes=1_000_000, backupCount=1, delay=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[logging.StreamHandler(sys.stderr), file],
    )
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


def end_with_parent() -> None:
    """Ends this process, in good order, when whoever holds the other end of its stdin is gone."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()
