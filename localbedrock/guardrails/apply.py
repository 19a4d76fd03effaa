"""ApplyGuardrail: a guardrail on a text, with no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from localbedrock.context import Context, Handler
from localbedrock.errors import validation
from localbedrock.guardrails import engine, resources
from localbedrock.guardrails.checking import check, counting_refusals
from localbedrock.guardrails.values import Content, Source

MAX_CHARACTERS = {"grounding_source": 100_000, "query": 1_000, "guard_content": 5_000}
"""What AWS takes for contextual grounding, by qualifier; an answer counts as marked."""


def apply_guardrail(ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """What a guardrail makes of content that a user or a model has written."""
    guardrail = resources.find(ctx, params["guardrailIdentifier"], params["guardrailVersion"])
    source: Source = params["source"]
    with counting_refusals(ctx, guardrail, source):
        content = [_content(block) for block in params["content"]]
        if not any(each.text.strip() for each in content):
            raise validation("The content to apply the guardrail to must not be empty.")
        if source == "OUTPUT" and "contextualGroundingPolicy" in guardrail:
            _check_sizes(content)
    verdict = check(ctx, guardrail, content, source)
    full = params.get("outputScope") == "FULL"
    return {
        "usage": verdict.usage,
        "action": verdict.action,
        "actionReason": verdict.reason,
        "outputs": [{"text": text} for text in verdict.outputs],
        "assessments": [verdict.full_assessment if full else verdict.assessment],
        "guardrailCoverage": verdict.coverage,
    }


def _content(block: Mapping[str, Any]) -> Content:
    if "text" not in block:
        raise validation("Images cannot be checked here: the local guardrails read text alone.")
    return Content(block["text"]["text"], frozenset(block["text"].get("qualifiers", [])))


def _check_sizes(content: Sequence[Content]) -> None:
    """Refuses more than contextual grounding takes, where it is asked for."""
    sizes = {
        name: _size(each for each in content if name in each.qualifiers)
        for name in ("grounding_source", "query")
    }
    if not all(sizes.values()):
        return
    sizes["guard_content"] = _size(each for each in content if engine.is_answer(each))
    for name, most in MAX_CHARACTERS.items():
        if sizes[name] > most:
            raise validation(
                f"{sizes[name]} characters of {name}: contextual grounding takes {most} at most."
            )


def _size(content: Iterable[Content]) -> int:
    return sum(len(each.text) for each in content)


HANDLERS: dict[str, Handler] = {"ApplyGuardrail": apply_guardrail}
