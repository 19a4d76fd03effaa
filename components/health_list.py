"""Whether each AWS service answers, how fast, and if not, why and what to do."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from components.metrics_line import format_ms
from components.safe_markdown import plain
from services.clients import Identity
from services.health import ServiceHealth, health
from services.problems import Problem


@st.fragment(parallel=True)
def health_list(identity: Identity) -> None:
    """Draw the list. The page does not wait for it: a service that is silent takes seconds to say so."""
    with st.container(border=True, key="service_health", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("Services", anchor=False, width="stretch")
            st.button(
                "Ask again",
                key="health_refresh",
                icon=":material/refresh:",
                type="tertiary",
                on_click=health.clear,
                args=(identity,),
            )
        waiting = st.skeleton(
            height=180
        )  # not in a `with`: its timer ends in a traceback when the visitor leaves
        services = health(identity)
        waiting.empty()
        for service in services:
            _draw(service)
        for problem in _distinct(services):
            st.caption(f"**{plain(problem.title)}.** {plain(problem.cause)} {plain(problem.fix)}")


def _draw(service: ServiceHealth) -> None:
    icon, outcome = ":green[:material/check_circle:]", format_ms(service.latency_ms)
    if service.problem:
        icon, outcome = ":red[:material/error:]", plain(service.problem.title)
    call = f"{service.name} · {service.operation} · {outcome}"
    st.markdown(f"{icon} **{service.purpose}** :small[:gray[{call}]]")


def _distinct(services: Iterable[ServiceHealth]) -> list[Problem]:
    """Each problem once: without a network or credentials all services have the same one."""
    problems = [service.problem for service in services if service.problem]
    return list({(problem.title, problem.cause, problem.fix): problem for problem in problems}.values())
