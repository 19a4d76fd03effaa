"""`make samples` against the endpoint: all documents are read, and a second run changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from scripts import samples
from services import rag_test_set, settings
from services.citations import results_of
from services.clients import Identity, client
from services.knowledge_build import STEPS, Builder
from services.rag_test_metrics import measure, outcome_of

DOCUMENTS = 34


@pytest.fixture(scope="module")
def built(identity: Identity) -> Builder:
    return samples.build(identity, samples.DOCUMENTS)


def hit_rate(identity: Identity, built: Builder, search: dict[str, Any]) -> float:
    """Hit rate@5 of the sample questions."""
    runtime = client("bedrock-agent-runtime", identity)
    outcomes = []
    for question in rag_test_set.sample():
        answer = runtime.retrieve(
            knowledgeBaseId=built.knowledge_base_id,
            retrievalQuery={"text": question.question},
            retrievalConfiguration={"vectorSearchConfiguration": {"numberOfResults": 5, **search}},
        )
        outcomes.append(outcome_of(question, results_of(answer["retrievalResults"])))
    return measure(outcomes, (5,)).hit_rate[5]


def test_every_sample_document_is_read(built: Builder, capsys: pytest.CaptureFixture[str]) -> None:
    assert built.succeeded
    assert built.progress(STEPS[-1]).detail == f"{DOCUMENTS} scanned, {DOCUMENTS} new"
    samples.report(built)
    assert f"knowledge base {built.knowledge_base_id}" in capsys.readouterr().out


def test_a_second_run_changes_nothing(identity: Identity, built: Builder) -> None:
    again = samples.build(identity, samples.DOCUMENTS)
    assert {again.progress(step).detail for step in STEPS} == {"Was there already"}
    assert again.knowledge_base_id == built.knowledge_base_id


def test_words_and_meaning_together_find_more_than_meaning_alone(identity: Identity, built: Builder) -> None:
    semantic = hit_rate(identity, built, {"overrideSearchType": "SEMANTIC"})
    hybrid = hit_rate(identity, built, {"overrideSearchType": "HYBRID"})
    assert hybrid > semantic
    assert hybrid > 0.8


def test_metadata_of_the_samples_filters(identity: Identity, built: Builder) -> None:
    answer = client("bedrock-agent-runtime", identity).retrieve(
        knowledgeBaseId=built.knowledge_base_id,
        retrievalQuery={"text": "How many days do I have to return something?"},
        retrievalConfiguration={
            "vectorSearchConfiguration": {
                "filter": {
                    "andAll": [
                        {"listContains": {"key": "tags", "value": "returns"}},
                        {"greaterThanOrEquals": {"key": "year", "value": 2025}},
                    ]
                }
            }
        },
    )
    titles = {source.location.title for source in results_of(answer["retrievalResults"])}
    assert titles == {"return-policy.md"}


def test_the_sample_guardrail_is_made_once_with_one_version(identity: Identity) -> None:
    identifier = samples.make_guardrail(identity)
    assert samples.make_guardrail(identity) == identifier
    bedrock = client("bedrock", identity)
    named = [each for each in bedrock.list_guardrails()["guardrails"] if each["name"] == "support-desk"]
    assert [each["id"] for each in named] == [identifier]
    versions = bedrock.list_guardrails(guardrailIdentifier=identifier)["guardrails"]
    assert sorted(each["version"] for each in versions) == ["1", "DRAFT"]


def test_nothing_is_built_in_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "get", lambda: settings.Settings(backend="aws"))
    with pytest.raises(SystemExit, match="a collection for vectors costs money"):
        samples.main()
