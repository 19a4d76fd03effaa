"""The workbench's own guardrail code against the local endpoint: made, read, changed, versioned, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from services import guardrail_editor, guardrails
from services.clients import Identity, client
from services.guardrail_configuration import (
    Configuration,
    ContentFilter,
    GroundingFilter,
    ManagedList,
    PiiEntity,
    Regex,
    Topic,
    Word,
)
from services.guardrail_differences import differences
from services.guardrail_editor import GuardrailError, new_seed
from services.guardrail_rules import choices, problems

EVERYTHING = Configuration(
    name="everything",
    description="Every policy type.",
    blocked_input_messaging="No.",
    blocked_outputs_messaging="Not that.",
    filters=(
        *(
            ContentFilter(type=kind, input_strength="LOW", output_strength="MEDIUM", input_action="NONE")
            for kind in ("SEXUAL", "VIOLENCE", "HATE", "INSULTS", "MISCONDUCT")
        ),
        ContentFilter(type="PROMPT_ATTACK", output_strength="NONE"),
    ),
    topics=(
        Topic(name="Stocks", definition="Advice on stocks.", examples=("Buy?", "Sell?"), input_enabled=False),
    ),
    words=(Word(text="project heron"), Word(text="x", input_action="NONE", output_enabled=True)),
    managed_lists=(ManagedList(type="PROFANITY", output_action="NONE"),),
    pii=tuple(
        PiiEntity(type=kind, action="ANONYMIZE", input_action="BLOCK") for kind in choices("pii", "type")
    ),
    regexes=(Regex(name="order", pattern=r"ORD-\d{4}", description="Order number", output_action="NONE"),),
    grounding=(
        GroundingFilter(type="GROUNDING", threshold=0.55),
        GroundingFilter(type="RELEVANCE", threshold=0.0, action="NONE", enabled=False),
    ),
)


@pytest.fixture
def made(identity: Identity) -> Iterator[str]:
    configuration = replace(EVERYTHING, name=f"everything-{uuid4().hex[:12]}")
    identifier = guardrail_editor.create(identity, configuration, seed=new_seed())
    yield identifier
    client("bedrock", identity).delete_guardrail(guardrailIdentifier=identifier)


def holds(answered: Any, given: Any) -> bool:
    """Whether an answer has everything that was given, in its order."""
    if isinstance(given, dict):
        return all(name in answered and holds(answered[name], value) for name, value in given.items())
    if isinstance(given, list):
        return len(answered) == len(given) and all(map(holds, answered, given))
    return bool(answered == given)


def test_what_is_saved_is_what_is_shown(identity: Identity, made: str) -> None:
    found = guardrail_editor.get(identity, made)
    assert problems(found.configuration) == ()
    given = replace(EVERYTHING, name=found.configuration.name).to_request()
    assert holds(found.configuration.to_request(), given), "the answer has defaults added, nothing changed"
    guardrail_editor.update(identity, made, found.configuration)
    again = guardrail_editor.get(identity, made).configuration
    assert again == found.configuration, "what was answered is saved as it is"
    assert differences(found.configuration, again) == ()
    assert found.status == "READY"
    smaller = replace(found.configuration, topics=(), words=found.configuration.words[:1], description="")
    guardrail_editor.update(identity, made, smaller)
    kept = guardrail_editor.get(identity, made).configuration
    assert replace(kept, topic_tier="") == replace(smaller, topic_tier="")


def test_versions_stay_and_are_deleted_alone(identity: Identity, made: str) -> None:
    seed = new_seed()
    first = guardrail_editor.create_version(identity, made, "as reviewed", seed=seed)
    assert guardrail_editor.create_version(identity, made, "as reviewed", seed=seed) == first
    before = guardrail_editor.get(identity, made).configuration
    guardrail_editor.update(identity, made, replace(before, regexes=()))
    assert guardrail_editor.get(identity, made, first).configuration.regexes == before.regexes
    listed = {one.version: one for one in guardrails.versions(identity, made).summaries}
    assert set(listed) == {"DRAFT", first}
    assert listed[first].description == "as reviewed"
    assert listed[first].created_at
    guardrail_editor.delete(identity, made, first)
    assert [one.version for one in guardrails.versions(identity, made).summaries] == ["DRAFT"]


def test_a_repeated_create_makes_one_and_a_deleted_one_is_a_problem(identity: Identity) -> None:
    configuration = replace(EVERYTHING, name=f"once-{uuid4().hex[:12]}")
    seed = new_seed()
    identifier = guardrail_editor.create(identity, configuration, seed=seed)
    assert guardrail_editor.create(identity, configuration, seed=seed) == identifier
    guardrail_editor.delete(identity, identifier)
    with pytest.raises(GuardrailError) as caught:
        guardrail_editor.get(identity, identifier)
    assert caught.value.problem.cause
    assert identifier not in {one.id for one in guardrails.guardrails(identity).summaries}
