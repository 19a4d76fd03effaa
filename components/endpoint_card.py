"""The local endpoint: whether it runs, and how code outside the workbench uses it."""

from __future__ import annotations

import shlex

import streamlit as st

from components.safe_markdown import plain
from services import backend, settings
from services.backend import BackendStatus
from services.clients import LOCAL_PROFILE
from services.health import health
from services.users import User

_STATES = {
    "ready": ("Running", "green", ":material/check_circle:"),
    "starting": ("Starting", "orange", ":material/hourglass:"),
    "failed": ("Not running", "red", ":material/error:"),
}


def endpoint_card(user: User) -> None:
    """Draw its state, the lines that point an SDK or CLI at it, and, for admins, Restart."""
    with st.container(border=True, key="local_endpoint", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("Local endpoint", anchor=False, width="stretch")
            restart = user.can("admin") and st.button(
                "Restart",
                key="backend_restart",
                icon=":material/restart_alt:",
                type="tertiary",
                help="Ends the replies that are streaming now. Nothing that is stored is lost.",
            )
        if restart:
            waiting = st.empty()
            waiting.markdown(":shimmer[Restarting]")
            restart_endpoint()
            waiting.empty()
        _draw_state(backend.status())
        st.caption("Code written for AWS uses it unchanged. In the shell that runs it:")
        st.code("\n".join(shell_lines()), language="bash", wrap_lines=True)


def restart_endpoint() -> None:
    """Restart it, and forget how its services were before."""
    backend.restart()
    health.clear()


def shell_lines() -> list[str]:
    """The variables by which every AWS SDK and the AWS CLI find the local endpoint and its keys."""
    data = settings.get().local_data
    return [
        f"export AWS_CONFIG_FILE={shlex.quote(str(data / 'config'))}",
        f"export AWS_SHARED_CREDENTIALS_FILE={shlex.quote(str(data / 'credentials'))}",
        f"export AWS_PROFILE={LOCAL_PROFILE}",
    ]


def _draw_state(status: BackendStatus) -> None:
    label, color, icon = _STATES[status.state]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(label, icon=icon, color=color)  # type: ignore[arg-type]
        if status.url:
            st.markdown(f"`{status.url}`", width="content")
        if status.restarts:
            times = "once" if status.restarts == 1 else f"{status.restarts} times"
            st.caption(f"came back {times} after it had ended", width="content")
    if status.state == "failed":
        st.caption(plain(status.detail))
