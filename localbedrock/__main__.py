"""``python -m localbedrock``: starts the endpoint, says ``READY <url>`` when it serves, stops on SIGTERM."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from localbedrock import emulator, lifecycle, server

DEFAULT_DATA_DIR = Path(".workbench") / "local"


def main() -> int:
    """Runs the endpoint; the exit code is 1 if it cannot start."""
    arguments = _arguments()
    if arguments.exit_with_parent:
        lifecycle.end_with_parent()
    options = server.Options(
        port=arguments.port,
        data_dir=arguments.data_dir.absolute(),
        emulator=os.environ.get("LOCALBEDROCK_EMULATOR") or emulator.DEFAULT,
        openai_url=os.environ.get("LOCALBEDROCK_OPENAI_URL") or None,
    )
    try:
        server.run(options)
    except lifecycle.StartError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for whoever started us
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="localbedrock", description="A local Bedrock endpoint.")
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=DEFAULT_DATA_DIR,
        help=f"where keys and state are kept (default: {DEFAULT_DATA_DIR})",
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when stdin is closed")
    return parser.parse_args()


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is saved; a worker thread inside native code must not keep the process alive.
    os._exit(code)
