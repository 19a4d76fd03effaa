"""`make run`: Streamlit with Home.py on the port of the settings. Arguments go to `streamlit run`."""

from __future__ import annotations

import sys
from pathlib import Path

from streamlit.web import cli

from services import settings

HOME = Path(__file__).resolve().parent.parent / "Home.py"


def main(arguments: list[str]) -> None:
    """Serves until interrupted; settings that cannot be used end it here, with what to correct."""
    try:
        port = settings.get().port
    except settings.SettingsError as error:
        sys.exit("\n".join(f"settings: {fault}" for fault in error.faults))
    cli.main(["run", str(HOME), "--server.port", str(port), *arguments], prog_name="streamlit")


if __name__ == "__main__":
    main(sys.argv[1:])
