"""Prompt Management through boto3: paging, versions, saving, failures. botocore checks each shape."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from services import clients, prompts
from services.clients import Identity
from services.prompts import PromptError

ID = "ABCDEFGHIJ"
ARN = f"arn:aws:bedrock:us-east-1:123456789012:prompt/{ID}"
WHEN = datetime(2026, 11, 1, tzinfo=UTC)
VARIANT = {
    "name": "default",
    "templateType": "TEXT",
    "templateConfiguration": {"text": {"text": "Hi {{x}}", "inputVariables": [{"name": "x"}]}},
    "modelId": "amazon.nova-lite-v1:0",
}


def row(**changes: Any) -> dict[str, Any]:
    values = {"id": ID, "arn": ARN, "name": "greeting", "version": "DRAFT"}
    return values | {"createdAt": WHEN, "updatedAt": WHEN} | changes


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    client = boto3.client(
        "bedrock-agent", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    monkeypatch.setattr(clients, "client", lambda service, identity: {"bedrock-agent": client}[service])
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()
    client.close()


def test_all_pages_are_listed_and_asked_for_once(agent: Stubber, identity: Identity) -> None:
    agent.add_response("list_prompts", {"promptSummaries": [row()], "nextToken": "t"}, {})
    other = row(id="0123456789", description="Bye")
    agent.add_response("list_prompts", {"promptSummaries": [other]}, {"nextToken": "t"})
    listing = prompts.prompts(identity)
    assert [(each.id, each.description) for each in listing.prompts] == [(ID, ""), ("0123456789", "Bye")]
    assert listing.prompts[0].raw == row()
    assert prompts.prompts(identity) is listing
    prompts.refresh(identity)
    agent.add_response("list_prompts", {"promptSummaries": []}, {})
    assert prompts.prompts(identity).prompts == ()


def test_the_pages_before_a_failure_count_and_the_failure_is_told(agent: Stubber, identity: Identity) -> None:
    agent.add_response("list_prompts", {"promptSummaries": [row()], "nextToken": "t"}, {})
    agent.add_client_error("list_prompts", "AccessDeniedException", "no", 403)
    listing = prompts.prompts(identity)
    assert len(listing.prompts) == 1
    assert listing.problem is not None
    assert listing.problem.code == "AccessDeniedException"
    assert prompts.prompts(identity) is listing, "a page is not to ask at every click"


def test_versions_stand_newest_first_after_the_draft(agent: Stubber, identity: Identity) -> None:
    rows = [row(version=version) for version in ("2", "10", "DRAFT", "1")]
    agent.add_response("list_prompts", {"promptSummaries": rows}, {"promptIdentifier": ID})
    listing = prompts.versions(identity, ID)
    assert [each.version for each in listing.prompts] == ["DRAFT", "10", "2", "1"]


def test_a_version_is_read_with_its_variables(agent: Stubber, identity: Identity) -> None:
    answer = row(version="3", arn=f"{ARN}:3", defaultVariant="default", variants=[VARIANT])
    agent.add_response("get_prompt", answer, {"promptIdentifier": ID, "promptVersion": "3"})
    prompt = prompts.get(identity, ID, "3")
    assert prompt.arn == f"{ARN}:3"
    assert prompt.variant
    assert prompt.variant.template == "Hi {{x}}"
    assert prompt.variant.variables == ("x",)
    assert prompt.raw == answer
    assert prompts.get(identity, ID, "3") is prompt


def test_an_arn_names_its_version_or_the_draft(agent: Stubber, identity: Identity) -> None:
    agent.add_response("get_prompt", row(version="3"), {"promptIdentifier": ARN, "promptVersion": "3"})
    agent.add_response("get_prompt", row(), {"promptIdentifier": ARN})
    assert prompts.by_arn(identity, f"{ARN}:3").arn == f"{ARN}:3", "Converse needs the version"
    assert prompts.by_arn(identity, ARN).arn == ARN


def test_a_chat_is_taken_apart(identity: Identity) -> None:
    chat = {
        "system": [{"text": "One."}, {"cachePoint": {"type": "default"}}, {"text": "Two."}],
        "messages": [
            {"role": "user", "content": [{"text": "A"}]},
            {"role": "assistant", "content": [{"text": "B"}]},
            {"role": "user", "content": [{"text": "Now {{x}}"}]},
        ],
        "toolConfiguration": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]},
        "inputVariables": [{"name": "x"}, {}],
    }
    variant = VARIANT | {"templateType": "CHAT", "templateConfiguration": {"chat": chat}}
    read = prompts.read_prompt(row(variants=[variant | {"name": "a"}, variant], defaultVariant="default"))
    assert read.variant
    assert read.variant.name == "default"
    assert read.variant.system == "One.\n\nTwo."
    assert read.variant.template == "Now {{x}}"
    assert [message["role"] for message in read.variant.messages] == ["user", "assistant"]
    assert read.variant.tools == chat["toolConfiguration"]
    assert read.variant.variables == ("x",)


def test_a_prompt_without_variants_has_none() -> None:
    assert prompts.read_prompt(row()).variant is None
    assert prompts.read_prompt({}).name == ""


def test_a_new_prompt_leaves_an_empty_description_out(agent: Stubber, identity: Identity) -> None:
    expected = {"name": "greeting", "defaultVariant": "default", "variants": [VARIANT]}
    agent.add_response("create_prompt", row(), expected)
    assert prompts.create(identity, "greeting", "", VARIANT).id == ID


def test_a_new_version_keeps_what_the_pane_does_not_know(agent: Stubber, identity: Identity) -> None:
    """UpdatePrompt replaces the whole draft: the key and the metadata would be gone."""
    key = f"arn:aws:kms:us-east-1:123456789012:key/{'a' * 36}"
    metadata = [{"key": "team", "value": "support"}]
    old = row(description="Old", customerEncryptionKeyArn=key, variants=[VARIANT | {"metadata": metadata}])
    agent.add_response("get_prompt", old, {"promptIdentifier": ID})
    expected = {
        "name": "greeting",
        "description": "Old",
        "customerEncryptionKeyArn": key,
        "promptIdentifier": ID,
        "defaultVariant": "default",
        "variants": [VARIANT | {"metadata": metadata}],
    }
    agent.add_response("update_prompt", row(), expected)
    prompts.update_draft(identity, ID, "", VARIANT)
    version = row(version="4", arn=f"{ARN}:4")
    agent.add_response("create_prompt_version", version, {"promptIdentifier": ID, "description": "Shorter"})
    assert prompts.create_version(identity, ID, "Shorter").version == "4"


def test_saving_makes_the_lists_new(agent: Stubber, identity: Identity) -> None:
    agent.add_response("list_prompts", {"promptSummaries": []}, {})
    assert prompts.prompts(identity).prompts == ()
    expected = {"name": "greeting", "defaultVariant": "default", "variants": [VARIANT]}
    agent.add_response("create_prompt", row(), expected)
    prompts.create(identity, "greeting", "", VARIANT)
    agent.add_response("list_prompts", {"promptSummaries": [row()]}, {})
    assert len(prompts.prompts(identity).prompts) == 1


def test_a_refusal_is_a_problem_with_awss_words(agent: Stubber, identity: Identity) -> None:
    agent.add_client_error("create_prompt", "ConflictException", "name is taken", 409)
    with pytest.raises(PromptError) as refused:
        prompts.create(identity, "greeting", "", VARIANT)
    assert refused.value.problem.message == "name is taken"
    agent.add_client_error("get_prompt", "ResourceNotFoundException", "gone", 404)
    with pytest.raises(PromptError) as refused:
        prompts.get(identity, ID)
    assert refused.value.problem.kind == "not_found"
