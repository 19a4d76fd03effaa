"""Bedrock's Prompt Management (`bedrock-agent`): prompts, their versions, and saving them.

>>> listing = prompts(identity)
>>> prompt = get(identity, listing.prompts[0].id, "DRAFT")
>>> prompt.variant.variables
('product', 'tone')
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import streamlit as st

from services import clients, problems
from services.clients import Identity
from services.problems import Problem, ProblemError

JsonDict = dict[str, Any]

DRAFT = "DRAFT"
LISTING_TTL_S = 300
PROBLEM_TTL_S = {"aws": 60, "local": 2}
"""How long a list that could not be read is not asked for again: a page is not to wait at every click."""
_ARN = re.compile(
    r"(?P<prompt>arn:aws[a-z-]*:bedrock:[a-z0-9-]+:\d{12}:prompt/[0-9a-zA-Z]{10})(:(?P<version>\d{1,5}))?"
)


class PromptError(ProblemError):
    """Prompt Management refused a call, or could not be reached; `problem` says why and what to do."""


@dataclass(frozen=True)
class PromptSummary:
    """A line of ListPrompts: a prompt's draft, or one of its versions. `raw` is as boto3 parsed it."""

    id: str
    arn: str
    name: str
    version: str
    description: str = ""
    updated_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Listing:
    """What ListPrompts gave, and the problem if it did not give all."""

    prompts: tuple[PromptSummary, ...] = ()
    problem: Problem | None = None


@dataclass(frozen=True)
class Variant:
    """A prompt's text with the model and parameters it is meant for.

    `template` is the text of a TEXT prompt, or of the last user message of a CHAT prompt; `messages` are the
    chat messages before that one, in Converse's shape. `inference` has Converse's names. `model_id` is ""
    where the prompt names no model, as one for an agent does. `raw` is as boto3 parsed it.
    """

    name: str
    template_type: str
    template: str
    system: str = ""
    messages: tuple[JsonDict, ...] = ()
    tools: Mapping[str, Any] = field(default_factory=dict)
    model_id: str = ""
    inference: Mapping[str, Any] = field(default_factory=dict)
    additional: Mapping[str, Any] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ManagedPrompt:
    """A prompt in one version. `arn` names the version, and is what Converse takes as `modelId`.

    `variant` is the default one, None for a prompt without any.
    """

    id: str
    arn: str
    name: str
    version: str
    description: str = ""
    variant: Variant | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


def prompts(identity: Identity) -> Listing:
    """All prompts of the identity's region, as their drafts. Never raises. Source: ListPrompts, all pages."""
    return _listing(identity, None).listing


def versions(identity: Identity, prompt_id: str) -> Listing:
    """The draft and the versions of one prompt, the newest first. Never raises. Source: ListPrompts."""
    return _listing(identity, prompt_id).listing


def refresh(identity: Identity) -> None:
    """Ask AWS anew the next time."""
    del identity  # a key of its own for each prompt: all are dropped
    _listing.clear()
    _prompt.clear()


def get(identity: Identity, prompt_id: str, version: str = DRAFT) -> ManagedPrompt:
    """One version of a prompt, by its id or ARN. Raises PromptError. Source: GetPrompt."""
    try:
        return _prompt(identity, prompt_id, version)
    except Exception as error:
        raise PromptError(problems.from_exception(error, operation="GetPrompt", identity=identity)) from error


def create(identity: Identity, name: str, description: str, variant: JsonDict) -> ManagedPrompt:
    """A new prompt, which is a draft with this one variant. Raises PromptError. Source: CreatePrompt."""
    arguments = _given(name=name, description=description)
    arguments |= {"defaultVariant": variant["name"], "variants": [variant]}
    return _call(identity, "CreatePrompt", lambda agent: agent.create_prompt(**arguments))


def update_draft(identity: Identity, prompt_id: str, description: str, variant: JsonDict) -> ManagedPrompt:
    """Replace a prompt's draft. Raises PromptError. Source: GetPrompt, UpdatePrompt.

    UpdatePrompt forgets what it is not given, so the key, and the variant's metadata, are handed on.
    """
    raw = _call(identity, "GetPrompt", lambda agent: agent.get_prompt(promptIdentifier=prompt_id)).raw
    old = (raw.get("variants") or [{}])[0]
    kept = {"metadata": old["metadata"]} if "metadata" in old else {}
    arguments = _given(
        name=raw["name"],
        description=description or raw.get("description"),
        customerEncryptionKeyArn=raw.get("customerEncryptionKeyArn"),
    )
    arguments |= {
        "promptIdentifier": raw["id"],
        "defaultVariant": variant["name"],
        "variants": [variant | kept],
    }
    return _call(identity, "UpdatePrompt", lambda agent: agent.update_prompt(**arguments))


def create_version(identity: Identity, prompt_id: str, description: str = "") -> ManagedPrompt:
    """A version that holds the draft as it is now. Raises PromptError. Source: CreatePromptVersion."""
    arguments = _given(promptIdentifier=prompt_id, description=description)
    return _call(identity, "CreatePromptVersion", lambda agent: agent.create_prompt_version(**arguments))


def is_prompt_arn(model_id: str) -> bool:
    """Whether Converse would take this `modelId` for a prompt of Prompt Management."""
    return bool(_ARN.fullmatch(model_id))


def by_arn(identity: Identity, arn: str) -> ManagedPrompt:
    """The prompt that an ARN names, in its version or as the draft. Raises PromptError."""
    match = _ARN.fullmatch(arn)
    if match is None:
        raise ValueError(f"{arn} is not the ARN of a prompt")
    return get(identity, match["prompt"], match["version"] or DRAFT)


def read_prompt(raw: Mapping[str, Any]) -> ManagedPrompt:
    """A prompt from what GetPrompt, CreatePrompt, UpdatePrompt or CreatePromptVersion answered."""
    rows = list(raw.get("variants") or [])
    default = next((row for row in rows if row.get("name") == raw.get("defaultVariant")), None)
    chosen = default or (rows[0] if rows else None)
    version, arn = str(raw.get("version") or DRAFT), str(raw.get("arn", ""))
    if version != DRAFT and not arn.endswith(f":{version}"):
        arn = f"{arn}:{version}"
    return ManagedPrompt(
        id=str(raw.get("id", "")),
        arn=arn,
        name=str(raw.get("name", "")),
        version=version,
        description=str(raw.get("description") or ""),
        variant=_variant(chosen) if chosen else None,
        raw=raw,
    )


def _variant(raw: Mapping[str, Any]) -> Variant:
    configuration = raw.get("templateConfiguration") or {}
    text, chat = configuration.get("text") or {}, configuration.get("chat") or {}
    messages = [dict(message) for message in chat.get("messages") or []]
    template = str(text.get("text") or "")
    if messages and messages[-1].get("role") == "user":
        template = _text_of(messages.pop().get("content"))
    return Variant(
        name=str(raw.get("name", "")),
        template_type=str(raw.get("templateType", "")),
        template=template,
        system=_text_of(chat.get("system")),
        messages=tuple(messages),
        tools=chat.get("toolConfiguration") or {},
        model_id=str(raw.get("modelId") or ""),
        inference=(raw.get("inferenceConfiguration") or {}).get("text") or {},
        additional=raw.get("additionalModelRequestFields") or {},
        variables=tuple(row["name"] for row in (text or chat).get("inputVariables") or [] if row.get("name")),
        raw=raw,
    )


def _text_of(blocks: Any) -> str:
    return "\n\n".join(block["text"] for block in blocks or [] if "text" in block)


def _given(**values: str | None) -> JsonDict:
    """Without what is empty: AWS refuses an empty description."""
    return {name: value for name, value in values.items() if value}


def _call(identity: Identity, operation: str, call: Callable[[Any], Mapping[str, Any]]) -> ManagedPrompt:
    """Make a call whose answer is a prompt; one that writes makes what was listed old."""
    try:
        answer = dict(call(clients.client("bedrock-agent", identity)))
    except Exception as error:
        raise PromptError(problems.from_exception(error, operation=operation, identity=identity)) from error
    if operation != "GetPrompt":
        refresh(identity)
    answer.pop("ResponseMetadata", None)
    return read_prompt(answer)


@dataclass(frozen=True)
class _Kept:
    listing: Listing
    keep_until: float


def _still_good(kept: _Kept) -> bool:
    return time.monotonic() < kept.keep_until


@st.cache_resource(show_spinner=False, ttl=LISTING_TTL_S, max_entries=256, validate=_still_good)
def _listing(identity: Identity, prompt_id: str | None) -> _Kept:
    found: list[PromptSummary] = []
    problem = None
    try:
        pages = clients.client("bedrock-agent", identity).get_paginator("list_prompts")
        for page in pages.paginate(**_given(promptIdentifier=prompt_id)):
            found += [_summary(row) for row in page.get("promptSummaries") or ()]
    except Exception as error:  # noqa: BLE001 (whatever it is, the page says it and goes on)
        problem = problems.from_exception(error, operation="ListPrompts", identity=identity)
    if prompt_id:
        found.sort(key=lambda row: int(row.version) if row.version.isdecimal() else 10**6, reverse=True)
    keep_s = PROBLEM_TTL_S[identity.backend] if problem else float("inf")
    return _Kept(Listing(tuple(found), problem), time.monotonic() + keep_s)


def _summary(raw: Mapping[str, Any]) -> PromptSummary:
    return PromptSummary(
        id=str(raw.get("id", "")),
        arn=str(raw.get("arn", "")),
        name=str(raw.get("name", "")),
        version=str(raw.get("version") or DRAFT),
        description=str(raw.get("description") or ""),
        updated_at=raw.get("updatedAt"),
        raw=raw,
    )


@st.cache_resource(show_spinner=False, ttl=LISTING_TTL_S, max_entries=256)
def _prompt(identity: Identity, prompt_id: str, version: str) -> ManagedPrompt:
    arguments = {"promptIdentifier": prompt_id} | ({} if version == DRAFT else {"promptVersion": version})
    answer = dict(clients.client("bedrock-agent", identity).get_prompt(**arguments))
    answer.pop("ResponseMetadata", None)
    return read_prompt(answer)
