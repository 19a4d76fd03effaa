"""Guardrails on a call: which there are, and how a call names one (Bedrock: ListGuardrails)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from services import clients, problems
from services.bodies.check import GUARDRAIL_CONFIG
from services.clients import Identity
from services.problems import Problem

TraceMode = Literal["enabled", "enabled_full", "disabled"]
StreamMode = Literal["", "sync", "async"]

DRAFT = "DRAFT"
LISTING_TTL_S = 300
_IDENTIFIER = re.compile(
    r"[a-z0-9]+|arn:aws(-[^:]+)?:bedrock:[a-z0-9-]{1,20}:\d{12}:guardrail/[a-z0-9]+"
)  # GuardrailIdentifier in the service model
_MODES_OF_BODIES: dict[str, StreamMode] = {"SYNCHRONOUS": "sync", "ASYNCHRONOUS": "async"}
_BODY_MODES = {mode: word for word, mode in _MODES_OF_BODIES.items()}


@dataclass(frozen=True)
class GuardrailChoice:
    """The guardrail that a pane sends with its calls; none while `identifier` is "".

    `stream_mode` "" leaves the way of streaming to the service (sync), and is not sent.
    """

    identifier: str = ""
    version: str = DRAFT
    trace: TraceMode = "enabled"
    stream_mode: StreamMode = ""


@dataclass(frozen=True)
class GuardrailSummary:
    """One guardrail, or one version of it, as ListGuardrails has it."""

    id: str
    arn: str
    name: str
    version: str
    status: str
    description: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True)
class Guardrails:
    """What was listed, and why it is not all."""

    summaries: tuple[GuardrailSummary, ...] = ()
    problem: Problem | None = None


def well_formed(identifier: str) -> bool:
    """Whether a text can be the id or the ARN of a guardrail."""
    return _IDENTIFIER.fullmatch(identifier) is not None


def guardrails(identity: Identity) -> Guardrails:
    """The guardrails of the account in this region, by name. Never raises."""
    return _listed(identity, "")


def versions(identity: Identity, identifier: str) -> Guardrails:
    """The versions of a guardrail, DRAFT among them, newest first. Never raises."""
    return _listed(identity, identifier) if well_formed(identifier) else Guardrails()


def refresh() -> None:
    """Ask AWS for the lists anew the next time."""
    _list.clear()


def put_guardrail(request: dict[str, Any], operation: str, choice: GuardrailChoice) -> None:
    """Put the guardrail into a request of Converse or InvokeModel, streamed or not.

    InvokeModel has no argument for the way of streaming: that is a member of the body, which is set where
    the body is JSON and does not have it yet.
    """
    if not choice.identifier:
        return
    streams = operation in ("ConverseStream", "InvokeModelWithResponseStream")
    named = {
        "guardrailIdentifier": choice.identifier,
        "guardrailVersion": choice.version or DRAFT,
    }
    if operation.startswith("Converse"):
        mode = {"streamProcessingMode": choice.stream_mode} if streams and choice.stream_mode else {}
        request["guardrailConfig"] = {**named, "trace": choice.trace, **mode}
        return
    request.update(named, trace=choice.trace.upper())
    if streams and choice.stream_mode and isinstance(request.get("body"), dict):
        config = {"streamProcessingMode": _BODY_MODES[choice.stream_mode]}
        request["body"] = {GUARDRAIL_CONFIG: config, **request["body"]}


def guardrail_of(request: Mapping[str, Any]) -> GuardrailChoice:
    """The guardrail in a request that `put_guardrail` or somebody else made."""
    named = request.get("guardrailConfig") or request
    identifier = named.get("guardrailIdentifier")
    if not isinstance(identifier, str) or not identifier:
        return GuardrailChoice()
    body = request.get("body")
    config = body.get(GUARDRAIL_CONFIG) if isinstance(body, dict) else None
    in_body = config.get("streamProcessingMode") if isinstance(config, dict) else None
    mode = str(named.get("streamProcessingMode") or in_body)
    modes: dict[str, StreamMode] = {"sync": "sync", "async": "async", **_MODES_OF_BODIES}
    traces: dict[str, TraceMode] = {"enabled": "enabled", "enabled_full": "enabled_full"}
    return GuardrailChoice(
        identifier=identifier,
        version=str(named.get("guardrailVersion") or DRAFT),
        trace=traces.get(str(named.get("trace")).lower(), "disabled"),
        stream_mode=modes.get(mode, ""),
    )


def _listed(identity: Identity, identifier: str) -> Guardrails:
    try:
        return _list(identity, identifier)
    except Exception as error:  # noqa: BLE001 (a list that is not there must not stop a call)
        return Guardrails(
            problem=problems.from_exception(error, operation="ListGuardrails", identity=identity)
        )


@st.cache_resource(show_spinner=False, ttl=LISTING_TTL_S, max_entries=256)
def _list(identity: Identity, identifier: str) -> Guardrails:
    """Raises what boto3 raises, and that is not kept."""
    arguments = {"guardrailIdentifier": identifier} if identifier else {}
    pages = clients.client("bedrock", identity).get_paginator("list_guardrails").paginate(**arguments)
    rows = [row for page in pages for row in page.get("guardrails") or ()]
    found = [
        GuardrailSummary(
            id=row.get("id", ""),
            arn=row.get("arn", ""),
            name=row.get("name", ""),
            version=row.get("version", DRAFT),
            status=row.get("status", ""),
            description=row.get("description", ""),
            created_at=row.get("createdAt"),
            updated_at=row.get("updatedAt"),
        )
        for row in rows
    ]
    if identifier:
        found.sort(key=lambda one: int(one.version) if one.version.isdigit() else 0, reverse=True)
    else:
        found.sort(key=lambda one: (one.name.lower(), one.id))
    return Guardrails(tuple(found))
