"""The workbench's own Prompt Management code against the local endpoint: from a pane to a call by the ARN."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from services import models, prompts
from services.clients import Identity, client
from services.conversations import Pane, Settings, Turn
from services.playground import Playground
from services.prompt_exchange import draft, pane_variables, settings_from
from services.prompts import DRAFT, ManagedPrompt, PromptError
from services.runs import Run
from services.streaming import StreamHub

MODEL = "local.smollm2-135m-instruct-v1:0"
PANE = Settings(
    model_id=MODEL,
    system="Answer in {{language}}.",
    parameters={"maxTokens": 8, "temperature": 0.0},
    stop_sequences=("###",),
)
TEMPLATE = "What is {{thing}}?"
VALUES = {"language": "English", "thing": "a heron"}


def variant(identity: Identity, pane: Settings = PANE, template: str = TEMPLATE) -> dict[str, Any]:
    made = draft(pane, models.resolve(identity, MODEL).capabilities, template, [])
    assert not made.refused
    assert not made.lost
    return made.variant


@pytest.fixture
def saved(identity: Identity) -> ManagedPrompt:
    name = f"heron-{uuid4().hex}"
    return prompts.create(identity, name, "About birds", variant(identity))


def ask(identity: Identity, pane: Settings, text: str, values: dict[str, str]) -> Turn:
    """What the playground has in the pane when the reply has ended."""
    kept: list[Run] = []
    hub = StreamHub(save=kept.append)
    playground = Playground([Pane(pane)], hub, identity, "ana", values)
    playground.send([{"text": text}] if text else [])
    for stream in hub.streams.values():
        assert stream.wait(60)
    playground.settle()
    return playground.panes[0].turns[-1]


def run_of(turn: Turn) -> Run:
    assert turn.run
    assert turn.run.state == "done", turn.run.problem
    return turn.run


def test_a_pane_comes_back_as_it_was_saved(identity: Identity, saved: ManagedPrompt) -> None:
    assert (saved.version, saved.description) == (DRAFT, "About birds")
    assert saved.id in {row.id for row in prompts.prompts(identity).prompts}
    found = prompts.get(identity, saved.id)
    assert found.variant
    assert found.variant.variables == ("language", "thing")
    assert found.variant.template == TEMPLATE
    loaded, said = settings_from(found.variant, Settings(), has_model=True)
    assert (loaded, said) == (PANE, [])


def test_a_version_stays_when_the_draft_changes(identity: Identity, saved: ManagedPrompt) -> None:
    first = prompts.create_version(identity, saved.id, "the first")
    assert (first.version, first.arn) == ("1", f"{saved.arn}:1")
    changed = prompts.update_draft(identity, saved.id, "", variant(identity, template="Where is {{thing}}?"))
    assert changed.description == "About birds"
    second = prompts.create_version(identity, saved.id)
    listing = prompts.versions(identity, saved.id)
    assert listing.problem is None
    assert [row.version for row in listing.prompts] == [DRAFT, "2", "1"]
    templates = {
        version: found.variant.template
        for version in (DRAFT, "1", "2")
        if (found := prompts.get(identity, saved.id, version)).variant
    }
    assert templates == {DRAFT: "Where is {{thing}}?", "1": TEMPLATE, "2": "Where is {{thing}}?"}
    assert prompts.by_arn(identity, second.arn).arn == second.arn


def test_a_call_by_the_arn_is_the_call_that_the_pane_would_have_made(
    identity: Identity, saved: ManagedPrompt
) -> None:
    version = prompts.create_version(identity, saved.id)
    by_arn = Settings(model_id=version.arn, system="not sent", parameters={"temperature": 1.0})
    assert pane_variables(identity, by_arn) == ("language", "thing")
    called = run_of(ask(identity, by_arn, "", VALUES))
    assert called.call.request == {
        "modelId": version.arn,
        "promptVariables": {name: {"text": value} for name, value in VALUES.items()},
    }
    by_hand = run_of(ask(identity, PANE, "What is a heron?", VALUES))
    assert called.usage
    assert by_hand.usage
    assert called.usage.input_tokens == by_hand.usage.input_tokens
    assert 0 < called.usage.output_tokens <= 8


def test_a_variable_without_a_value_is_a_problem_in_the_pane(
    identity: Identity, saved: ManagedPrompt
) -> None:
    turn = ask(identity, Settings(model_id=saved.arn), "", {"language": "English"})
    problem = turn.problem or (turn.run and turn.run.problem)
    assert problem
    assert "thing" in problem.message + problem.cause
    assert problem.cause
    assert problem.fix


def test_refusals_say_why_and_what_to_do(identity: Identity, saved: ManagedPrompt) -> None:
    undeclared = variant(identity)
    del undeclared["templateConfiguration"]["chat"]["inputVariables"]
    refused = {
        "the name is taken": lambda: prompts.create(identity, saved.name, "", variant(identity)),
        "no such prompt": lambda: prompts.get(identity, "AAAAAAAAAA"),
        "no such version": lambda: prompts.get(identity, saved.id, "99"),
        "a prompt that is gone": lambda: prompts.update_draft(identity, "AAAAAAAAAA", "", variant(identity)),
        "an undeclared variable": lambda: prompts.create(identity, f"x-{uuid4().hex}", "", undeclared),
        "a name that is none": lambda: prompts.create(identity, "no spaces", "", variant(identity)),
    }
    kinds = {}
    for what, call in refused.items():
        with pytest.raises(PromptError) as caught:
            call()
        problem = caught.value.problem
        assert problem.title, what
        assert problem.cause, what
        assert problem.fix, what
        kinds[what] = problem.kind
    assert kinds["the name is taken"] == "conflict"
    assert {kinds[what] for what in refused if "such" in what or "gone" in what} == {"not_found"}


def test_the_versions_of_a_prompt_that_is_gone_are_a_problem_not_an_error(
    identity: Identity, saved: ManagedPrompt
) -> None:
    client("bedrock-agent", identity).delete_prompt(promptIdentifier=saved.id)
    prompts.refresh(identity)
    listing = prompts.versions(identity, saved.id)
    assert listing.prompts == ()
    assert listing.problem
    assert listing.problem.kind == "not_found"
