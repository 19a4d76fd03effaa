"""A guardrail on calls of a model: what is blocked, masked and told, for every operation that takes one.

The guardrails are about a word that the local model says at temperature 0, found out by asking it once.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from services.clients import Identity
from services.guardrail_traces import trace_of
from services.guardrails import GuardrailChoice, put_guardrail
from services.runs import Call
from services.runtime import call_unstored
from tests.conftest import Endpoint
from tests.endpoint.knowledge_calls import make_base, make_source, sync
from tests.endpoint.test_invoke import FAMILIES
from tests.endpoint.test_metrics import eventually

LOCAL = "local.smollm2-135m-instruct-v1:0"
QUESTION = "What is the capital of France?"
MESSAGES = [{"role": "user", "content": [{"text": QUESTION}]}]
CONFIG = {"maxTokens": 16, "temperature": 0.0}
NO_INPUT, NO_OUTPUT = "Not this question.", "Not this answer."
MASK = "{Said}"


@dataclass(frozen=True)
class Rails:
    """The ids of the guardrails, and the word that they are about."""

    word: str
    blocks_input: str
    blocks_output: str
    masks_output: str
    masks_input: str
    passes: str


@pytest.fixture(scope="module")
def runtime(endpoint: Endpoint) -> Any:
    return endpoint.client("bedrock-runtime", read_timeout=120)


@pytest.fixture(scope="module")
def rails(endpoint: Endpoint, runtime: Any) -> Rails:
    plain = runtime.converse(modelId=LOCAL, messages=MESSAGES, inferenceConfig=CONFIG)
    said = re.findall(r"[A-Z][a-z]{3,}", plain["output"]["message"]["content"][0]["text"])
    word = next(each for each in said if each not in QUESTION)
    bedrock = endpoint.client("bedrock")

    def make(**policies: Any) -> str:
        made = bedrock.create_guardrail(
            name=f"calls-{uuid4().hex}",
            blockedInputMessaging=NO_INPUT,
            blockedOutputsMessaging=NO_OUTPUT,
            **policies,
        )
        return str(made["guardrailId"])

    def words(text: str, **sides: Any) -> dict[str, Any]:
        return {"wordPolicyConfig": {"wordsConfig": [{"text": text, **sides}]}}

    def mask(pattern: str) -> dict[str, Any]:
        regex = {"name": "Said", "pattern": pattern, "action": "ANONYMIZE"}
        return {"sensitiveInformationPolicyConfig": {"regexesConfig": [regex]}}

    return Rails(
        word=word,
        blocks_input=make(**words("France")),
        blocks_output=make(**words(word)),
        masks_output=make(**mask(word)),
        masks_input=make(**mask("France")),
        passes=make(**words("zyzzyva")),
    )


def config(identifier: str, trace: str = "enabled", **more: Any) -> dict[str, Any]:
    return {"guardrailIdentifier": identifier, "guardrailVersion": "DRAFT", "trace": trace, **more}


def converse(runtime: Any, guardrail: dict[str, Any], messages: Any = MESSAGES) -> dict[str, Any]:
    answer: dict[str, Any] = runtime.converse(
        modelId=LOCAL, messages=messages, inferenceConfig=CONFIG, guardrailConfig=guardrail
    )
    return answer


def stream(runtime: Any, guardrail: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Text, stop reason and metadata."""
    answer = runtime.converse_stream(
        modelId=LOCAL, messages=MESSAGES, inferenceConfig=CONFIG, guardrailConfig=guardrail
    )
    events = list(answer["stream"])
    text = "".join(
        event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event
    )
    [stop] = [event["messageStop"]["stopReason"] for event in events if "messageStop" in event]
    return text, stop, events[-1]["metadata"]


def text_of(answer: dict[str, Any]) -> str:
    return str(answer["output"]["message"]["content"][0]["text"])


def test_a_blocked_input_asks_no_model(runtime: Any, rails: Rails) -> None:
    answer = converse(runtime, config(rails.blocks_input))
    assert (text_of(answer), answer["stopReason"]) == (NO_INPUT, "guardrail_intervened")
    assert answer["usage"] == {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
    trace = answer["trace"]["guardrail"]
    assert set(trace) == {"inputAssessment", "actionReason"}
    assert trace["actionReason"] == "Guardrail blocked."
    [word] = trace["inputAssessment"][rails.blocks_input]["wordPolicy"]["customWords"]
    assert (word["match"], word["action"]) == ("France", "BLOCKED")
    text, stop, metadata = stream(runtime, config(rails.blocks_input))
    assert (text, stop) == (NO_INPUT, "guardrail_intervened")
    assert metadata["usage"]["totalTokens"] == 0
    assert rails.blocks_input in metadata["trace"]["guardrail"]["inputAssessment"]


def test_a_blocked_output_is_the_guardrails_message(runtime: Any, rails: Rails) -> None:
    answer = converse(runtime, config(rails.blocks_output))
    assert (text_of(answer), answer["stopReason"]) == (NO_OUTPUT, "guardrail_intervened")
    assert answer["usage"]["outputTokens"] > 0
    trace = answer["trace"]["guardrail"]
    assert rails.word in json.loads(trace["modelOutput"][0])["choices"][0]["message"]["content"]
    [assessment] = trace["outputAssessments"][rails.blocks_output]
    assert assessment["wordPolicy"]["customWords"][0]["action"] == "BLOCKED"
    assert assessment["invocationMetrics"]["guardrailCoverage"]["textCharacters"]["guarded"] > 0
    assert trace["actionReason"] == "No action.\nGuardrail blocked."


def test_a_masked_output_is_masked_in_both_answers(runtime: Any, rails: Rails) -> None:
    answer = converse(runtime, config(rails.masks_output))
    assert MASK in text_of(answer)
    assert rails.word not in text_of(answer)
    assert answer["stopReason"] == "guardrail_intervened"
    text, stop, metadata = stream(runtime, config(rails.masks_output))
    assert (text, stop) == (text_of(answer), "guardrail_intervened")
    assert rails.word in metadata["trace"]["guardrail"]["modelOutput"][0]


def test_sync_streams_release_nothing_blocked_and_async_ones_say_so_behind(
    runtime: Any, rails: Rails
) -> None:
    text, stop, metadata = stream(runtime, config(rails.blocks_output, streamProcessingMode="sync"))
    assert (text, stop) == (NO_OUTPUT, "guardrail_intervened")
    assert rails.word in metadata["trace"]["guardrail"]["modelOutput"][0]
    text, stop, _ = stream(runtime, config(rails.blocks_output, streamProcessingMode="async"))
    assert rails.word in text
    assert text.endswith(NO_OUTPUT)
    assert stop == "guardrail_intervened"


def test_what_passes_is_untouched_and_the_trace_is_as_wanted(runtime: Any, rails: Rails) -> None:
    plain = runtime.converse(modelId=LOCAL, messages=MESSAGES, inferenceConfig=CONFIG)
    answer = converse(runtime, config(rails.passes))
    assert (text_of(answer), answer["stopReason"]) == (text_of(plain), plain["stopReason"])
    assert "wordPolicy" not in answer["trace"]["guardrail"]["inputAssessment"][rails.passes]
    full = converse(runtime, config(rails.passes, "enabled_full"))["trace"]["guardrail"]
    assert rails.passes in full["inputAssessment"]
    assert "trace" not in converse(runtime, config(rails.passes, "disabled"))
    text, stop, metadata = stream(runtime, config(rails.passes, "disabled"))
    assert (text, stop) == (text_of(plain), plain["stopReason"])
    assert "trace" not in metadata


def test_only_guard_content_is_guarded_where_there_is_any(runtime: Any, rails: Rails) -> None:
    guarded = {"guardContent": {"text": {"text": "Hello."}}}
    messages = [{"role": "user", "content": [{"text": QUESTION}, guarded]}]
    assert converse(runtime, config(rails.blocks_input), messages)["stopReason"] != "guardrail_intervened"
    guarded["guardContent"]["text"]["text"] = "Vive la France!"
    assert text_of(converse(runtime, config(rails.blocks_input), messages)) == NO_INPUT


def test_the_model_is_given_the_masked_input(runtime: Any, rails: Rails) -> None:
    messages = [{"role": "user", "content": [{"text": QUESTION.replace("France", MASK)}]}]
    plain = runtime.converse(modelId=LOCAL, messages=messages, inferenceConfig=CONFIG)
    answer = converse(runtime, config(rails.masks_input))
    assert answer["usage"]["inputTokens"] == plain["usage"]["inputTokens"]
    assert answer["stopReason"] == "guardrail_intervened"


@pytest.mark.parametrize("model_id", FAMILIES)
def test_a_blocked_input_stands_where_the_familys_text_does(
    runtime: Any, rails: Rails, endpoint: Endpoint, model_id: str
) -> None:
    body, text, piece = FAMILIES[model_id]
    named = {"guardrailIdentifier": rails.blocks_input, "guardrailVersion": "DRAFT", "trace": "ENABLED"}
    sent = json.dumps(body).replace("Say hello", "Say France")
    answer = json.loads(runtime.invoke_model(modelId=model_id, body=sent, **named)["body"].read())
    assert text(answer) == NO_INPUT
    assert answer["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert set(answer["amazon-bedrock-trace"]["guardrail"]) == {"input", "actionReason"}
    events = runtime.invoke_model_with_response_stream(modelId=model_id, body=sent, **named)["body"]
    chunks = [json.loads(event["chunk"]["bytes"]) for event in events]
    assert "".join(piece(chunk) or "" for chunk in chunks) == NO_INPUT
    assert {chunk["amazon-bedrock-guardrailAction"] for chunk in chunks} == {"INTERVENED"}
    assert rails.blocks_input in chunks[-1]["amazon-bedrock-trace"]["guardrail"]["input"]


def invoke_body(text: str, **more: Any) -> str:
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 16, "temperature": 0.0}
    return json.dumps(body | more)


def test_invoke_model_masks_and_blocks_what_the_model_says(runtime: Any, rails: Rails) -> None:
    _, text, piece = FAMILIES[LOCAL]
    for identifier, shown in ((rails.masks_output, MASK), (rails.blocks_output, NO_OUTPUT)):
        named = {"guardrailIdentifier": identifier, "guardrailVersion": "DRAFT", "trace": "ENABLED"}
        raw = runtime.invoke_model(modelId=LOCAL, body=invoke_body(QUESTION), **named)["body"].read()
        answer = json.loads(raw)
        assert shown in text(answer)
        assert rails.word not in text(answer)
        assert answer["amazon-bedrock-guardrailAction"] == "INTERVENED"
        [output] = answer["amazon-bedrock-trace"]["guardrail"]["outputs"]
        assert set(output) == {identifier}
        events = runtime.invoke_model_with_response_stream(
            modelId=LOCAL, body=invoke_body(QUESTION), **named
        )["body"]
        chunks = [json.loads(event["chunk"]["bytes"]) for event in events]
        assert "".join(piece(chunk) or "" for chunk in chunks) == text(answer)
        assert rails.word in chunks[-1]["amazon-bedrock-trace"]["guardrail"]["modelOutput"][0]
        assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] > 0


def test_invoke_model_guards_what_is_tagged(runtime: Any, rails: Rails) -> None:
    named = {"guardrailIdentifier": rails.blocks_input, "guardrailVersion": "DRAFT", "trace": "DISABLED"}
    tag = "amazon-bedrock-guardrails-guardContent_xyz"
    settings = {"amazon-bedrock-guardrailConfig": {"tagSuffix": "xyz"}}
    for asked, action in (
        (f"{QUESTION} <{tag}>Hello</{tag}>", "NONE"),
        (f"<{tag}>{QUESTION}</{tag}>", "INTERVENED"),
    ):
        body = invoke_body(asked, **settings)
        answer = json.loads(runtime.invoke_model(modelId=LOCAL, body=body, **named)["body"].read())
        assert answer["amazon-bedrock-guardrailAction"] == action
        assert "amazon-bedrock-trace" not in answer


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        ({"guardrailIdentifier": "abcdefgh", "guardrailVersion": "1"}, {}, "guardrail identifier or version"),
        ({"guardrailIdentifier": "abcdefgh"}, {}, "guardrailVersion"),
        ({}, {"amazon-bedrock-guardrailConfig": {"tagSuffix": "x"}}, "guardrailIdentifier"),
        (
            {"guardrailIdentifier": "abcdefgh", "guardrailVersion": "1"},
            {"amazon-bedrock-guardrailConfig": {"tagSuffix": "no-dash"}},
            "letters and digits",
        ),
    ],
)
def test_what_names_no_guardrail_is_refused(
    runtime: Any, arguments: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    for call in (runtime.invoke_model, runtime.invoke_model_with_response_stream):
        with pytest.raises(ClientError, match=words) as caught:
            call(modelId=LOCAL, body=invoke_body("Hi", **more), **arguments)
        assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_an_unknown_guardrail_of_converse_is_refused(runtime: Any) -> None:
    for guardrail in (config("abcdefgh"), config("abcdefgh") | {"guardrailVersion": "7"}):
        with pytest.raises(ClientError, match="guardrail identifier or version"):
            converse(runtime, guardrail)


@pytest.fixture(scope="module")
def base_id(endpoint: Endpoint) -> str:
    agent, s3 = endpoint.client("bedrock-agent"), endpoint.client("s3")
    s3.create_bucket(Bucket="guarded-documents")
    lamp = "To reset the Aurora lamp, hold the power button for ten seconds until the light blinks."
    s3.put_object(Bucket="guarded-documents", Key="docs/lamp.md", Body=lamp.encode())
    made = str(make_base(agent)["knowledgeBaseId"])
    assert sync(agent, made, make_source(agent, made, "guarded-documents", "docs/"))["status"] == "COMPLETE"
    return made


def rag(base_id: str, identifier: str, question: str) -> dict[str, Any]:
    generation = {
        "guardrailConfiguration": {"guardrailId": identifier, "guardrailVersion": "DRAFT"},
        "inferenceConfig": {"textInferenceConfig": {"maxTokens": 32, "temperature": 0.0}},
    }
    configuration = {"knowledgeBaseId": base_id, "modelArn": LOCAL, "generationConfiguration": generation}
    kind = {"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": configuration}
    return {"input": {"text": question}, "retrieveAndGenerateConfiguration": kind}


RESET = "How do I reset the Aurora lamp?"


def test_answers_from_documents_are_guarded(endpoint: Endpoint, rails: Rails, base_id: str) -> None:
    agents, bedrock = endpoint.client("bedrock-agent-runtime"), endpoint.client("bedrock")
    blocks_output = bedrock.create_guardrail(
        name=f"rag-{uuid4().hex}",
        blockedInputMessaging=NO_INPUT,
        blockedOutputsMessaging=NO_OUTPUT,
        wordPolicyConfig={"wordsConfig": [{"text": "power button"}]},
    )["guardrailId"]
    for identifier, question, text, action in (
        (rails.blocks_input, f"{RESET} In France?", NO_INPUT, "INTERVENED"),
        (blocks_output, RESET, NO_OUTPUT, "INTERVENED"),
        (rails.passes, RESET, "power button", "NONE"),
    ):
        answer = agents.retrieve_and_generate(**rag(base_id, identifier, question))
        assert text in answer["output"]["text"]
        assert answer["guardrailAction"] == action
        assert bool(answer["citations"]) == (action == "NONE")
        events = list(agents.retrieve_and_generate_stream(**rag(base_id, identifier, question))["stream"])
        streamed = "".join(event["output"]["text"] for event in events if "output" in event)
        assert streamed == answer["output"]["text"]
        [told] = [event["guardrail"] for event in events if "guardrail" in event]
        assert told == {"action": action}


def test_a_blocked_question_finds_no_passages(endpoint: Endpoint, rails: Rails, base_id: str) -> None:
    agents = endpoint.client("bedrock-agent-runtime")
    named = {"guardrailId": rails.blocks_input, "guardrailVersion": "DRAFT"}
    for question, found, action in ((f"{RESET} In France?", 0, "INTERVENED"), (RESET, 1, "NONE")):
        answer = agents.retrieve(
            knowledgeBaseId=base_id, retrievalQuery={"text": question}, guardrailConfiguration=named
        )
        assert (len(answer["retrievalResults"]), answer["guardrailAction"]) == (found, action)


def counted(endpoint: Endpoint, metric: str, start: datetime, **dimensions: str) -> float:
    points = endpoint.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Bedrock/Guardrails",
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=start - timedelta(minutes=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=2),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def test_checks_are_counted_in_cloudwatch(endpoint: Endpoint, runtime: Any) -> None:
    start = datetime.now(UTC)
    made = endpoint.client("bedrock").create_guardrail(
        name=f"metrics-{uuid4().hex}",
        blockedInputMessaging=NO_INPUT,
        blockedOutputsMessaging=NO_OUTPUT,
        wordPolicyConfig={"wordsConfig": [{"text": "France"}]},
    )
    named = {"GuardrailArn": made["guardrailArn"], "GuardrailVersion": "DRAFT"}
    hello = [{"role": "user", "content": [{"text": "Say hello."}]}]
    converse(runtime, config(made["guardrailId"]))
    converse(runtime, config(made["guardrailId"]), hello)
    eventually(lambda: counted(endpoint, "Invocations", start, **named) == 3)  # the second has an output
    assert counted(endpoint, "InvocationsIntervened", start, **named) == 1
    assert counted(endpoint, "TextUnitCount", start, **named) == 3
    assert counted(endpoint, "InvocationLatency", start, **named) > 0
    asked: dict[str, Any] = {"guardrailIdentifier": made["guardrailId"], "guardrailVersion": "DRAFT"}
    for text in ("France", " "):
        with contextlib.suppress(ClientError):
            runtime.apply_guardrail(source="INPUT", content=[{"text": {"text": text}}], **asked)
    eventually(lambda: counted(endpoint, "InvocationClientErrors", start, **named) == 1)
    assert counted(endpoint, "InvocationsIntervened", start, **named) == 2
    word = {"GuardrailPolicyType": "WordPolicy"}
    assert counted(endpoint, "InvocationsIntervened", start, **named, **word) == 2
    assert counted(endpoint, "Invocations", start, Operation="ApplyGuardrail") >= 3
    assert counted(endpoint, "Invocations", start, GuardrailContentSource="Output") >= 1


def test_the_playground_reads_what_a_guardrail_did(
    endpoint: Endpoint, runtime: Any, rails: Rails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runtime.client", lambda *_args, **_settings: runtime)
    monkeypatch.setattr("services.backend.wait_while_starting", lambda: None)
    identity = Identity("local", None, "us-east-1")
    converse_request = {"modelId": LOCAL, "messages": MESSAGES, "inferenceConfig": CONFIG}
    body_request = {"modelId": LOCAL, "body": json.loads(invoke_body(QUESTION))}
    for operation, given in (
        ("Converse", converse_request),
        ("ConverseStream", converse_request),
        ("InvokeModel", body_request),
        ("InvokeModelWithResponseStream", body_request),
    ):
        for identifier, action in ((rails.blocks_input, "blocked"), (rails.masks_output, "masked")):
            request = dict(given)
            put_guardrail(request, operation, GuardrailChoice(identifier, "DRAFT", "enabled", "sync"))
            run = call_unstored(Call(operation=operation, request=request, identity=identity))
            assert run.problem is None
            trace = trace_of(run)
            assert trace is not None
            assert trace.guardrail_ids == (identifier,)
            assert [finding.action for finding in trace.findings if finding.acted] == [action]
