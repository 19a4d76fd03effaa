"""Requests as they are built and sent, and answers as they are read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from services import backend, clients, runtime
from services.clients import Identity
from services.runs import Call
from services.runtime import converse_request, open_call
from tests.eventstream import frame
from tests.scripted_server import Exchange, ScriptedServer

HI: list[dict[str, Any]] = [{"role": "user", "content": [{"text": "Hi"}]}]


def test_nothing_that_is_not_given_is_sent() -> None:
    """Not sent is not the same as 0: a default would overrule the model's own."""
    assert converse_request("m", HI) == {"modelId": "m", "messages": HI}
    assert converse_request("m", HI, system="  ", inference_config={}, additional={}) == {
        "modelId": "m",
        "messages": HI,
    }


def test_zero_is_sent() -> None:
    request = converse_request(
        "m", HI, inference_config={"temperature": 0, "maxTokens": 5, "stopSequences": ["x"]}
    )
    assert request["inferenceConfig"] == {"temperature": 0, "maxTokens": 5, "stopSequences": ["x"]}


def test_everything_that_is_given_is_sent() -> None:
    request = converse_request("m", HI, system="Be kind", additional={"top_k": 3})
    assert request["system"] == [{"text": "Be kind"}]
    assert request["additionalModelRequestFields"] == {"top_k": 3}


def test_the_assistants_messages_go_back_verbatim(server: ScriptedServer, identity: Identity) -> None:
    """Reasoning with its signature, redacted reasoning, tool calls: AWS refuses a turn that changes them."""
    content: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": b"\x00\xff"}},
        {"text": "a "},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"q": [1]}}},
    ]
    messages = [*HI, {"role": "assistant", "content": content}, *HI]
    server.play(lambda exchange: exchange.answer(b"{}"))
    open_call(Call(operation="Converse", request=converse_request("m", messages), identity=identity))
    sent = json.loads(server.requests[0].body)["messages"][1]["content"]
    assert sent[0] == content[0]
    assert sent[1] == {"reasoningContent": {"redactedContent": "AP8="}}
    assert sent[2:] == content[2:]


def test_a_call_of_the_local_endpoint_waits_while_that_is_being_started(
    server: ScriptedServer, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash: without this, the reply that is asked for again would fail at once."""
    waited: list[int] = []
    monkeypatch.setattr(backend, "wait_while_starting", lambda: waited.append(len(server.requests)))
    monkeypatch.setattr(runtime, "client", lambda service, _: clients.client(service, identity))
    server.play(lambda exchange: exchange.answer(b"{}"))
    for caller in (Identity("local", None, "us-east-1"), identity):
        open_call(Call(operation="Converse", request=converse_request("m", HI), identity=caller))
    assert waited == [0]
    assert len(server.requests) == 2


def test_converse_gives_one_response(server: ScriptedServer, identity: Identity) -> None:
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "a"}]}},
        "stopReason": "end_turn",
    }
    server.play(
        lambda exchange: exchange.answer(json.dumps(answer).encode(), headers={"x-amzn-requestid": "r"})
    )
    opened = open_call(Call(operation="Converse", request=converse_request("m", HI), identity=identity))
    assert list(opened.events) == [("response", answer)]
    assert opened.metadata["RequestId"] == "r"
    assert opened.metadata["HTTPStatusCode"] == 200


@pytest.mark.parametrize("body", [{"prompt": "ü"}, '{"prompt": "ü"}'.encode(), b'{"prompt":"\\u00fc"}'])
def test_an_invoke_body_may_be_json_or_bytes(server: ScriptedServer, identity: Identity, body: Any) -> None:
    server.play(lambda exchange: exchange.answer(b'{"generation": "a"}'))
    opened = open_call(
        Call(operation="InvokeModel", request={"modelId": "m", "body": body}, identity=identity)
    )
    assert list(opened.events) == [("response", {"generation": "a"})]
    opened.close()
    assert json.loads(server.requests[0].body) == {"prompt": "ü"}
    if isinstance(body, bytes):
        assert server.requests[0].body == body


@pytest.mark.parametrize("data", [b"\x89PNG", b"[1, 2]", b""])
def test_an_answer_that_is_no_json_object_is_kept_as_it_is(
    server: ScriptedServer, identity: Identity, data: bytes
) -> None:
    server.play(lambda exchange: exchange.answer(data))
    opened = open_call(
        Call(operation="InvokeModel", request={"modelId": "m", "body": b"{}"}, identity=identity)
    )
    assert list(opened.events) == [("response", {"bytes": data})]


def test_chunks_are_parsed(server: ScriptedServer, identity: Identity) -> None:
    def script(exchange: Exchange) -> None:
        exchange.start_stream()
        exchange.send(frame("chunk", {"bytes": "eyJnZW5lcmF0aW9uIjogImEifQ==", "p": "abcd"}))
        exchange.send(frame("chunk", {"bytes": "/w=="}))
        exchange.send(frame("chunk", {"bytes": "eyJ0eXBlIjogIm1lc3NhZ2Vfc3RvcCJ9"}))
        exchange.end()

    server.play(script)
    opened = open_call(
        Call(
            operation="InvokeModelWithResponseStream", request={"modelId": "m", "body": {}}, identity=identity
        )
    )
    assert list(opened.events) == [
        ("chunk", {"generation": "a"}),
        ("chunk", {"bytes": b"\xff"}),
        ("chunk", {"type": "message_stop"}),
    ]
    opened.close()


def test_the_callers_request_is_not_changed(server: ScriptedServer, identity: Identity) -> None:
    server.play(lambda exchange: exchange.answer(b"{}"))
    request = {"modelId": "m", "body": {"prompt": "a"}}
    open_call(Call(operation="InvokeModel", request=request, identity=identity)).close()
    assert request == {"modelId": "m", "body": {"prompt": "a"}}


def test_a_request_that_is_wrong_never_leaves(server: ScriptedServer, identity: Identity) -> None:
    with pytest.raises(ParamValidationError):
        open_call(Call(operation="Converse", request={"modelId": "m", "mesages": []}, identity=identity))
    assert server.requests == []


def test_abort_and_close_may_come_twice_and_late(server: ScriptedServer, identity: Identity) -> None:
    """Stop and the end of a stream race."""
    server.play_stream({"messageStop": {"stopReason": "end_turn"}})
    opened = open_call(Call(operation="ConverseStream", request=converse_request("m", HI), identity=identity))
    assert len(list(opened.events)) == 1
    opened.close()
    opened.abort()
    opened.close()
    opened.abort()
