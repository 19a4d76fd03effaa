"""The sidebar under the navigation: where calls go, as whom, and who is sitting here."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import streamlit as st

from components.auth import sign_out
from components.safe_markdown import plain
from services import clients
from services.clients import Caller, Identity
from services.health import caller_lookup
from services.problems import from_exception
from services.users import LOCAL_USER, User

_IDENTITY = "identity"
_PROFILE_WIDGET = "sidebar_profile"
_REGION_WIDGET = "sidebar_region"
_DEFAULT_PROFILE = "(default chain)"
_ANSWER_AT_ONCE_S = 0.1


def current_identity() -> Identity:
    """The identity that this browser session makes its calls with."""
    if _IDENTITY not in st.session_state:
        st.session_state[_IDENTITY] = clients.default_identity()
    identity: Identity = st.session_state[_IDENTITY]
    return identity


def draw_sidebar(user: User) -> None:
    """Draw the badge, the switch of profile and region, and the way out."""
    identity = current_identity()
    with st.sidebar:
        with st.container(key="backend_badge", gap="xsmall"):
            _draw_badge(identity)
        if identity.backend == "aws" and user.can("spend"):
            _draw_switch(identity)
        if user != LOCAL_USER:
            _draw_user(user)


def caller_words(caller: Caller) -> str:
    """The account as a person knows it, safe to draw."""
    return f"{plain(caller.alias)} ({caller.account})" if caller.alias else f"Account {plain(caller.account)}"


def _draw_badge(identity: Identity) -> None:
    label = clients.endpoint_label(identity)
    if identity.backend == "local":
        st.badge(label, icon=":material/computer:", color="green")
        st.caption("No AWS, no cost.")
        return
    st.badge(plain(label), icon=":material/cloud:", color="orange")
    lookup = caller_lookup(identity)
    # The run never waits for STS: while it is silent, this fragment alone comes back to look.
    waiting = not _answered(lookup)
    st.fragment(_draw_caller, run_every=1.0 if waiting else None)(lookup, waiting)
    profile = f" · profile {plain(identity.profile)}" if identity.profile else ""
    st.caption(f"{plain(identity.region)}{profile}")


def _answered(lookup: Future[Caller]) -> bool:
    try:
        lookup.exception(timeout=_ANSWER_AT_ONCE_S)
    except TimeoutError:
        return False
    return True


def _draw_caller(lookup: Future[Caller], waiting: bool) -> None:
    if not lookup.done():
        st.caption(":shimmer[Asking AWS which account this is]")
    elif waiting:
        st.rerun()  # a whole run, after which nothing comes back to look any more
    elif error := lookup.exception():
        problem = from_exception(error, operation="GetCallerIdentity")
        st.caption(f":red[{plain(problem.title)}] {plain(problem.cause)}", help=plain(problem.fix))
    else:
        st.markdown(f"**{caller_words(lookup.result())}**")


def _draw_switch(identity: Identity) -> None:
    with st.popover("Profile and region", icon=":material/tune:", width="stretch"):
        profiles = [_DEFAULT_PROFILE, *clients.available_profiles()]
        chosen = identity.profile or _DEFAULT_PROFILE
        st.selectbox(
            "Profile",
            profiles,
            index=profiles.index(chosen) if chosen in profiles else None,
            key=_PROFILE_WIDGET,
            on_change=_switch,
            help="From the AWS config files of the server. The switch is for this browser session alone.",
        )
        regions = clients.available_regions()
        st.selectbox(
            "Region",
            regions,
            index=regions.index(identity.region) if identity.region in regions else None,
            key=_REGION_WIDGET,
            on_change=_switch,
        )
        st.button("Read the credentials again", key="sidebar_renew", icon=":material/key:", on_click=_renew)


def _switch() -> None:
    identity = current_identity()
    profile, region = st.session_state[_PROFILE_WIDGET], st.session_state[_REGION_WIDGET]
    if profile:
        identity = replace(identity, profile=None if profile == _DEFAULT_PROFILE else profile)
    st.session_state[_IDENTITY] = replace(identity, region=region or identity.region)


def _renew() -> None:
    st.session_state[_IDENTITY] = clients.renew(current_identity())


def _draw_user(user: User) -> None:
    with st.container(key="sidebar_user", horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/person: {plain(user.name)} · {user.role}", width="stretch")
        st.button("Sign out", key="sign_out", icon=":material/logout:", on_click=sign_out)
