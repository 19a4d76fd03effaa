"""Guardrails made, changed, versioned and deleted (`bedrock`), and what one is set to.

>>> guardrail = create(identity, configuration, seed=new_seed())
>>> version = create_version(identity, guardrail, "as reviewed")
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st
from botocore import xform_name

from services import clients, guardrails, problems
from services.clients import Identity
from services.guardrail_configuration import Configuration, from_guardrail, from_json
from services.guardrails import DRAFT
from services.problems import ProblemError
from services.runs import Call

JsonDict = dict[str, Any]

SAMPLE = Path(__file__).parents[1] / "localbedrock" / "samples" / "guardrail.json"
"""The sample guardrail, as a request of CreateGuardrail; it may not be there."""
_TTL_S = 300
_SETTLED = ("READY", "FAILED")
_NOT_IN_UPDATES = ("tags", "clientRequestToken")


class GuardrailError(ProblemError):
    """A call about guardrails was refused or got lost; `problem` says why and what to do."""


@dataclass(frozen=True)
class Guardrail:
    """One version of a guardrail, as GetGuardrail has it. `reasons` say why it failed."""

    id: str
    arn: str
    version: str
    status: str
    configuration: Configuration
    reasons: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def settled(self) -> bool:
        """Whether it is made or failed, and not on its way."""
        return self.status in _SETTLED


def get(identity: Identity, identifier: str, version: str = DRAFT) -> Guardrail:
    """A version of a guardrail, by id or ARN; kept for minutes once it is settled.

    Raises GuardrailError. Source: GetGuardrail.
    """
    try:
        found = _get(identity, identifier, version)
    except Exception as error:
        raise _failed(error, "GetGuardrail", identity) from error
    if not found.settled:
        _get.clear(identity, identifier, version)
    return found


def new_seed() -> str:
    """What the tokens of one piece of work are made from: take another when it is done."""
    return uuid.uuid4().hex


def create_call(identity: Identity, configuration: Configuration, seed: str = "") -> Call:
    """The CreateGuardrail call. Made again with the same seed and configuration, it makes no second one."""
    return _call(identity, "CreateGuardrail", configuration.to_request(), seed)


def update_call(identity: Identity, identifier: str, configuration: Configuration) -> Call:
    """The UpdateGuardrail call: it replaces the whole DRAFT."""
    request = {"guardrailIdentifier": identifier, **configuration.to_request()}
    kept = {name: value for name, value in request.items() if name not in _NOT_IN_UPDATES}
    return _call(identity, "UpdateGuardrail", kept)


def version_call(identity: Identity, identifier: str, description: str = "", seed: str = "") -> Call:
    """The CreateGuardrailVersion call: the DRAFT as it is becomes a version."""
    request = {"guardrailIdentifier": identifier} | ({"description": description} if description else {})
    return _call(identity, "CreateGuardrailVersion", request, seed)


def delete_call(identity: Identity, identifier: str, version: str = "") -> Call:
    """The DeleteGuardrail call, of one version or, with "", of the guardrail with all its versions."""
    request = {"guardrailIdentifier": identifier} | ({"guardrailVersion": version} if version else {})
    return _call(identity, "DeleteGuardrail", request)


def create(identity: Identity, configuration: Configuration, *, seed: str) -> str:
    """Make a guardrail and return its id. Raises GuardrailError. Source: CreateGuardrail."""
    return str(_made(create_call(identity, configuration, seed))["guardrailId"])


def update(identity: Identity, identifier: str, configuration: Configuration) -> None:
    """Replace the DRAFT. Raises GuardrailError. Source: UpdateGuardrail."""
    _made(update_call(identity, identifier, configuration))


def create_version(identity: Identity, identifier: str, description: str = "", *, seed: str) -> str:
    """Make a version of the DRAFT and return its number. Raises GuardrailError.

    Source: CreateGuardrailVersion.
    """
    return str(_made(version_call(identity, identifier, description, seed))["version"])


def delete(identity: Identity, identifier: str, version: str = "") -> None:
    """Delete one version, or with "" everything. Raises GuardrailError. Source: DeleteGuardrail."""
    _made(delete_call(identity, identifier, version))


def refresh() -> None:
    """Ask AWS anew the next time, for the lists and for each guardrail."""
    guardrails.refresh()
    _get.clear()


def sample() -> Configuration | None:
    """The sample guardrail; None where there is none. Raises ConfigurationError for a broken file."""
    try:
        text = SAMPLE.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return from_json(text)


def _call(identity: Identity, operation: str, request: JsonDict, seed: str = "") -> Call:
    if seed:
        # The request is part of the token: AWS refuses a known token that comes with something else.
        named = json.dumps([seed, operation, request], sort_keys=True)
        request = request | {"clientRequestToken": hashlib.sha256(named.encode()).hexdigest()}
    return Call(operation=operation, request=request, identity=identity, service="bedrock", kind="guardrail")


def _made(call: Call) -> JsonDict:
    """Make the call; what was listed before it is old, also where it failed: it may have been carried out."""
    try:
        client = clients.client(call.service, call.identity)
        answer: JsonDict = getattr(client, xform_name(call.operation))(**call.request)
    except Exception as error:
        raise _failed(error, call.operation, call.identity) from error
    finally:
        refresh()
    return answer


def _failed(error: Exception, operation: str, identity: Identity) -> GuardrailError:
    return GuardrailError(problems.from_exception(error, operation=operation, identity=identity))


@st.cache_resource(show_spinner=False, ttl=_TTL_S, max_entries=256)
def _get(identity: Identity, identifier: str, version: str) -> Guardrail:
    """Raises what boto3 raises, and that is not kept."""
    answer = dict(
        clients.client("bedrock", identity).get_guardrail(
            guardrailIdentifier=identifier, guardrailVersion=version
        )
    )
    answer.pop("ResponseMetadata", None)
    return Guardrail(
        id=str(answer.get("guardrailId", "")),
        arn=str(answer.get("guardrailArn", "")),
        version=str(answer.get("version", version)),
        status=str(answer.get("status", "")),
        configuration=from_guardrail(answer),
        reasons=(*answer.get("statusReasons", ()), *answer.get("failureRecommendations", ())),
        created_at=answer.get("createdAt"),
        updated_at=answer.get("updatedAt"),
        raw=answer,
    )
