"""What Home.py does before a page: warm up, judge the settings, bring up the local endpoint."""

from __future__ import annotations

import contextlib
import gc
import importlib
import threading
from collections.abc import Callable

import streamlit as st

from components.endpoint_card import restart_endpoint
from components.navigation import all_pages
from components.problem_card import problem_card
from components.safe_markdown import plain
from services import backend, clients, settings
from services.clients import Identity
from services.health import probes
from services.problems import Action, Problem
from services.users import User

_NEEDED_SOON = ("numpy", "pandas", "pyarrow")


@st.cache_resource(show_spinner=False)
def warm_up() -> threading.Thread:
    """Import in the background, once per server, what the first streamed reply needs.

    `st.write_stream` imports pandas and pyarrow at its first use: 0.7 s before the first token.
    """
    return _in_background(lambda: [importlib.import_module(module) for module in _NEEDED_SOON])


@st.cache_resource(show_spinner=False)
def settle(_identity: Identity) -> threading.Thread:
    """Once per server, after the first page: make the clients that stay, then freeze what is in memory.

    Streamlit collects garbage after every run. At what is frozen here it does not have to look again, which
    takes the time between a click and its effect from about 100 ms to 20 ms.
    """
    return _in_background(lambda: _settle(_identity))


def _settle(identity: Identity) -> None:
    warm_up().join()
    for probe in probes(identity):
        with contextlib.suppress(Exception):  # health says why a client cannot be made
            clients.client(probe.service, identity)
    gc.collect()
    gc.freeze()


def _in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, name="startup", daemon=True)
    thread.start()
    return thread


def check_settings() -> None:
    """Stop the run with every fault of the settings on one card, if there are any."""
    try:
        settings.get()
    except settings.SettingsError as error:
        st.navigation(all_pages(), position="hidden")
        with st.container(key="problem_card_settings"):
            st.error(
                "Correct these, in the environment or in `.env`, and start the workbench again:",
                title="The settings cannot be used",
                icon=":material/settings_alert:",
            )
            st.code("\n".join(error.faults), language=None, wrap_lines=True)
        st.stop()


def start_backend(user: User) -> None:
    """Start the local endpoint if it does not run, with a line that says how far it is.

    When it does not come up there is a card, and the page still opens: not every page needs it.
    """
    place = st.empty()
    status = backend.status()
    if status.state == "starting":

        def show(step: str) -> None:
            place.markdown(f":shimmer[{plain(step)}]")

        status = backend.ensure(show)
        place.empty()
    if status.state == "failed":
        with place.container():
            problem = Problem(
                code="LocalEndpoint",
                title="The local endpoint is not running",
                cause=status.detail,
                fix="Restart it. Pages that call no model work without it."
                if user.can("admin")
                else "Ask an admin to restart it. Pages that call no model work without it.",
                action="restart_backend",
            )
            actions: dict[Action, Callable[[], None]] = {"restart_backend": restart_endpoint}
            problem_card(problem, key="backend", actions=actions if user.can("admin") else None)
