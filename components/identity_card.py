"""As whom, and where, calls are made."""

from __future__ import annotations

import streamlit as st

from components.safe_markdown import plain
from components.sidebar import caller_words
from services import clients
from services.clients import Identity
from services.health import ANSWER_WITHIN_S, caller_lookup
from services.problems import from_exception


@st.fragment(parallel=True)
def identity_card(identity: Identity) -> None:
    """Draw account, ARN, profile and region; the page does not wait for STS to name the first two."""
    with st.container(border=True, key="identity_card", gap="xsmall"):
        st.subheader("Identity", anchor=False)
        profile = f"profile {plain(identity.profile)}" if identity.profile else "boto3's default chain"
        st.markdown(f"**{plain(clients.endpoint_label(identity))}** in {plain(identity.region)}, {profile}")
        waiting = st.skeleton(
            height=40
        )  # not in a `with`: its timer ends in a traceback when the visitor leaves
        lines = _account(identity)
        waiting.empty()
        for line in lines:
            st.caption(line)


def _account(identity: Identity) -> tuple[str, ...]:
    try:
        caller = caller_lookup(identity).result(ANSWER_WITHIN_S)
    except Exception as error:  # noqa: BLE001 (whatever STS or the network did, it is told)
        problem = from_exception(error, operation="GetCallerIdentity", identity=identity)
        return f":red[{plain(problem.title)}]", plain(problem.cause), plain(problem.fix)
    return caller_words(caller), plain(caller.arn)
