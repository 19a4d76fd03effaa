"""Checks of a text without a guardrail (InvokeGuardrailChecks): scores, on which thresholds decide here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from botocore.session import get_session

from services.clients import Identity
from services.guardrail_results import KIND, TextSource
from services.runs import Call, Run

JsonDict = dict[str, Any]
Check = Literal["contentFilter", "promptAttack", "sensitiveInformation"]

OPERATION = "InvokeGuardrailChecks"
CHECK_WORDS: dict[Check, str] = {
    "contentFilter": "Harmful content",
    "promptAttack": "Prompt attacks",
    "sensitiveInformation": "Sensitive information",
}
_MEMBERS: dict[Check, tuple[str, str]] = {
    "contentFilter": ("categories", "category"),
    "promptAttack": ("categories", "category"),
    "sensitiveInformation": ("entities", "type"),
}


@dataclass(frozen=True)
class Score:
    """How severe (`contentFilter`, `promptAttack`) or how sure (`sensitiveInformation`) a check is, 0 to 1.

    `start` and `end` are where an entity stands in the text; None for what is about the whole text.
    """

    check: Check
    name: str
    score: float
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Scores:
    """What the checks of one text say. `unknown` is what this version cannot read."""

    text: str
    scores: tuple[Score, ...] = ()
    units: Mapping[str, int] = field(default_factory=dict)
    truncated: bool = False
    unknown: Mapping[str, Any] = field(default_factory=dict)


@cache
def choices() -> Mapping[Check, tuple[str, ...]]:
    """What can be checked, by check: the names in the service model of the SDK that is installed."""
    model = get_session().get_service_model("bedrock-runtime").operation_model(OPERATION)
    checks: Any = model.input_shape.members["checks"]
    return {
        check: tuple(checks.members[check].members[members].member.members[member].enum)
        for check, (members, member) in _MEMBERS.items()
    }


def checks_call(
    text: str,
    chosen: Mapping[Check, Sequence[str]],
    identity: Identity,
    *,
    source: TextSource = "INPUT",
    user: str = "local",
) -> Call:
    """The call: `chosen` names the categories and entity types by check; a reply is the assistant's."""
    checks = {
        check: {members: [{member: name} for name in chosen[check]]}
        for check, (members, member) in _MEMBERS.items()
        if chosen.get(check)
    }
    role = "user" if source == "INPUT" else "assistant"
    request: JsonDict = {"messages": [{"role": role, "content": [{"text": text}]}], "checks": checks}
    return Call(operation=OPERATION, request=request, identity=identity, kind=KIND, user=user)


def chosen_in(call: Call) -> dict[Check, tuple[str, ...]]:
    """The categories and entity types that a call asks for."""
    checks = call.request.get("checks") or {}
    return {
        check: tuple(str(one.get(member)) for one in (checks.get(check) or {}).get(members) or ())
        for check, (members, member) in _MEMBERS.items()
    }


def text_in(call: Call) -> str:
    """The text that a call asks about."""
    messages = call.request.get("messages") or [{}]
    content = messages[0].get("content") or [{}]
    return str(content[0].get("text") or "")


def scores_of(run: Run) -> Scores:
    """What a run of InvokeGuardrailChecks says."""
    answer = run.response or {}
    results = answer.get("results") or {}
    scores: list[Score] = []
    unknown: JsonDict = {}
    for check, content in results.items():
        if check not in _MEMBERS or not isinstance(content, dict):
            unknown[check] = content
            continue
        scores += [_score(check, row) for row in content.get("results") or ()]
    usage = answer.get("usage") or {}
    return Scores(
        text=text_in(run.call),
        scores=tuple(scores),
        units={
            CHECK_WORDS.get(name, name): int(part.get("textUnits") or 0)
            for name, part in usage.items()
            if isinstance(part, dict)
        },
        truncated=bool((results.get("sensitiveInformation") or {}).get("truncated")),
        unknown=unknown,
    )


def found(scores: Scores, thresholds: Mapping[str, float], default: float) -> tuple[Score, ...]:
    """The scores that reach their thresholds: what would be blocked, or masked."""
    return tuple(score for score in scores.scores if score.score >= thresholds.get(score.name, default))


def _score(check: Check, row: JsonDict) -> Score:
    own = _MEMBERS[check][1]
    value = row.get("severityScore", row.get("confidenceScore"))
    return Score(
        check,
        str(row.get(own) or "?"),
        float(value) if isinstance(value, int | float) else 0.0,
        row.get("beginOffset"),
        row.get("endOffset"),
    )
