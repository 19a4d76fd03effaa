"""What a model takes: parameters with bounds and defaults, pairs it refuses, modalities, features, limits.

The facts stand in `data/capabilities.toml`, by family and version, each with its source. They are matched
on the base model id (`anthropic.claude-…`), never on a display name. A model that no entry matches gets the
bounds that Converse has for every model and None (unknown) for the rest.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

_LONGEST_OUTPUT = 1_000_000
"""In tokens. Converse sets no maximum for `maxTokens`; no model on Bedrock puts out more than this."""
_CONTEXT_VARIANT = re.compile(r":(\d+)k$")
"""Ends the ids of models for provisioned throughput: `anthropic.claude-3-haiku-20240307-v1:0:48k`."""
_TABLE = Path(__file__).with_name("data") / "capabilities.toml"


@dataclass(frozen=True)
class Bound:
    """The values a numeric parameter takes; `default` is the service's own, None where not published."""

    minimum: float
    maximum: float
    default: float | None = None
    step: float = 1.0


@dataclass(frozen=True)
class Conflict:
    """Two parameters the model refuses together, with the reason in one sentence."""

    names: tuple[str, str]
    reason: str


@dataclass(frozen=True)
class Capabilities:
    """What one model takes. None means that it is not known, which is never a reason to block.

    `bounds` has the keys "maxTokens", "temperature", "topP", "stopSequences" (its maximum is the greatest
    number of sequences) and, where the family has them, "topK" and "thinkingBudget" (in tokens).
    `choices` has the parameters that take words: "effort" (how much to reason), weakest first.
    `additional_paths` says where a parameter that Converse has no name for goes in
    `additionalModelRequestFields`, `companions` what must stand beside it there; `put_additional` applies
    both. `refused` maps a parameter to why the model takes it not at all.
    `converse` is False for what the Converse operations do not serve (embeddings, images, reranking).
    """

    family: str = "unknown"
    converse: bool | None = None
    system: bool | None = None
    tools: bool | None = None
    reasoning: bool | None = None
    prompt_caching: bool | None = None
    streaming: bool | None = None
    input_modalities: frozenset[str] = frozenset()
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    additional_paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    companions: Mapping[str, tuple[tuple[str, ...], Any]] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    source: str = ""
    as_of: date | None = None


@lru_cache(maxsize=4096)
def capabilities_of(base_model_id: str) -> Capabilities:
    """The capabilities of a foundation model's id, without a geographic prefix ("" for an unknown model)."""
    merged: dict[str, Any] = {}
    for pattern, facts in _entries():
        if pattern.match(base_model_id):
            _merge(merged, facts)
    if variant := _CONTEXT_VARIANT.search(base_model_id):
        merged["context_tokens"] = int(variant[1]) * 1000
    return _capabilities(merged)


def put_additional(fields: dict[str, Any], capabilities: Capabilities, name: str, value: float | str) -> bool:
    """Put a parameter that Converse has no name for into `additionalModelRequestFields`; False for others.

    >>> fields = {}
    >>> sonnet = capabilities_of("anthropic.claude-sonnet-4-5-20250929-v1:0")
    >>> put_additional(fields, sonnet, "thinkingBudget", 2048), fields
    (True, {'thinking': {'budget_tokens': 2048, 'type': 'enabled'}})
    >>> put_additional(fields, sonnet, "temperature", 0.5)
    False
    """
    path = capabilities.additional_paths.get(name)
    if path is None:
        return False
    _put(fields, path, value)
    if name in capabilities.companions:
        _put(fields, *capabilities.companions[name])
    return True


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set a nested member; a member on the way that is no object gives way to one."""
    for name in path[:-1]:
        if not isinstance(fields.get(name), dict):
            fields[name] = {}
        fields = fields[name]
    fields[path[-1]] = value


@cache
def _entries() -> tuple[tuple[re.Pattern[str], dict[str, Any]], ...]:
    with _TABLE.open("rb") as stream:
        table = tomllib.load(stream)
    defaults = {"as_of": table["as_of"], **table["converse"]}
    entries = [(re.compile(row["match"]), row) for row in table["entry"]]
    return ((re.compile(""), defaults), *entries)


def _merge(target: dict[str, Any], facts: Mapping[str, Any]) -> None:
    """Put facts over earlier ones: tables member by member, everything else whole."""
    for name, value in facts.items():
        if isinstance(value, dict):
            _merge(target.setdefault(name, {}), value)
        elif name != "match":
            target[name] = value


def _capabilities(facts: dict[str, Any]) -> Capabilities:
    bounds = facts.pop("bounds")
    bounds["maxTokens"].setdefault(
        "max", facts.get("max_output_tokens") or facts.get("context_tokens") or _LONGEST_OUTPUT
    )
    return Capabilities(
        bounds={name: _bound(values) for name, values in bounds.items()},
        input_modalities=frozenset(facts.pop("input_modalities", ())),
        choices={name: tuple(words) for name, words in facts.pop("choices", {}).items()},
        additional_paths={name: tuple(path) for name, path in facts.pop("additional_paths", {}).items()},
        companions={
            name: (tuple(path), value) for name, (path, value) in facts.pop("companions", {}).items()
        },
        conflicts=tuple(Conflict((one, two), reason) for one, two, reason in facts.pop("conflicts", ())),
        **facts,
    )


def _bound(values: Mapping[str, float]) -> Bound:
    return Bound(values["min"], values["max"], values.get("default"), values.get("step", 1.0))
