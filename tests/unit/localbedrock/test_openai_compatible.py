"""The adapter to OpenAI-compatible servers, against a real HTTP server and its faults."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localbedrock.errors import AwsError
from localbedrock.text import openai_compatible
from localbedrock.text.engine import (
    ChatRequest,
    Event,
    Finish,
    Image,
    Message,
    ReasoningDelta,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolDelta,
    ToolResult,
    ToolStart,
)
from localbedrock.text.openai_compatible import OpenAICompatible
from tests.openai_server import Handler, OpenAIServer, openai_server

QUESTION = (Message("user", (Text("Hi"),)),)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server() as running:
        yield running


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[OpenAICompatible]:
    made = OpenAICompatible(server.url, "secret")
    yield made
    made.close()


def _events(client: OpenAICompatible, **more: Any) -> list[Event]:
    request = ChatRequest(QUESTION, model="tiny:1b", **more)
    return list(client.generate(request, threading.Event()).events)


def _fails(client: OpenAICompatible) -> AwsError:
    with pytest.raises(AwsError) as caught:
        _events(client)
    return caught.value


def test_text_usage_and_key(client: OpenAICompatible, server: OpenAIServer) -> None:
    assert _events(client) == [TextDelta("Hello"), TextDelta(" there"), Finish("end_turn", 5, 2)]
    assert server.authorization == "Bearer secret"
    assert server.requests[0]["model"] == "tiny:1b"
    assert server.requests[0]["stream_options"] == {"include_usage": True}


def test_what_was_not_asked_for_is_not_sent(client: OpenAICompatible, server: OpenAIServer) -> None:
    _events(client)
    assert set(server.requests[0]) == {"model", "messages", "stream", "stream_options"}


def test_everything_a_request_can_say_is_sent(client: OpenAICompatible, server: OpenAIServer) -> None:
    messages = (
        Message("user", (Text("Look"), Image("png", b"\x89PNG"))),
        Message("assistant", (Text("Hm"), ToolCall("c1", "add", {"a": 1}))),
        Message("user", (ToolResult("c1", "boom", failed=True), Text("So?"))),
    )
    tool = Tool("add", "Adds", {"type": "object"})
    schema = {"type": "object"}
    sampling: dict[str, Any] = {
        "max_tokens": 3,
        "temperature": 0.5,
        "top_p": 0.25,
        "top_k": 4,
        "stop": ("x",),
    }
    request = ChatRequest(
        messages, system="S", tools=(tool,), force_tool="add", json_schema=schema, **sampling
    )
    list(client.generate(request, threading.Event()).events)
    body = server.requests[0]
    assert [message["role"] for message in body["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "user",
    ]
    assert body["messages"][1]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert json.loads(body["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"a": 1}
    assert body["messages"][3] == {"role": "tool", "tool_call_id": "c1", "content": "Error: boom"}
    assert body["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert {name: body[name] for name in sampling} == sampling | {"stop": ["x"]}


@pytest.mark.parametrize(("force", "choice"), [("", "auto"), ("*", "required")])
def test_tool_choice(client: OpenAICompatible, server: OpenAIServer, force: str, choice: str) -> None:
    _events(client, tools=(Tool("t", "", {}),), force_tool=force)
    assert server.requests[0]["tool_choice"] == choice


def test_reasoning_and_two_tool_calls(client: OpenAICompatible, server: OpenAIServer) -> None:
    def script(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        handler.chunk(delta={"reasoning_content": "hm"})
        for index, name in enumerate(("one", "two")):
            handler.chunk(
                delta={"tool_calls": [{"index": index, "function": {"name": name, "arguments": ""}}]}
            )
            handler.chunk(delta={"tool_calls": [{"index": index, "function": {"arguments": '{"a": '}}]})
            handler.chunk(delta={"tool_calls": [{"index": index, "function": {"arguments": "1}"}}]})
        handler.chunk(finish_reason="tool_calls")
        handler.end(prompt_tokens=9, completion_tokens=8)

    server.script = script
    call = [ToolDelta('{"a": '), ToolDelta("1}")]
    assert _events(client) == [
        ReasoningDelta("hm"),
        ToolStart("one"),
        *call,
        ToolStart("two"),
        *call,
        Finish("tool_use", 9, 8),
    ]


@pytest.mark.parametrize(
    ("choice", "stop", "reason", "sequence"),
    [
        ({"finish_reason": "length"}, (), "max_tokens", None),
        ({"finish_reason": "content_filter"}, (), "content_filtered", None),
        ({"finish_reason": "stop", "stop_reason": "END"}, ("END",), "stop_sequence", "END"),
        ({"finish_reason": "stop", "stop_reason": 128001}, ("END",), "end_turn", None),
    ],
)
def test_why_it_ended(
    client: OpenAICompatible,
    server: OpenAIServer,
    choice: dict[str, Any],
    stop: tuple[str, ...],
    reason: str,
    sequence: str | None,
) -> None:
    def script(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        handler.chunk(**choice)
        handler.end(prompt_tokens=1, completion_tokens=1)

    server.script = script
    finish = _events(client, stop=stop)[-1]
    assert isinstance(finish, Finish)
    assert (finish.reason, finish.stop_sequence) == (reason, sequence)


def test_signs_split_over_packets_stay_whole(client: OpenAICompatible, server: OpenAIServer) -> None:
    def script(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        chunk = '{"choices":[{"delta":{"content":"日本 é"},"finish_reason":"stop"}]}'
        data = f"data: {chunk}\r\n\r\ndata: [DONE]\r\n\r\n"
        for byte in data.encode():
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()

    server.script = script
    assert _events(client)[0] == TextDelta("日本 é")


def test_a_token_arrives_before_the_next_is_sent(client: OpenAICompatible, server: OpenAIServer) -> None:
    seen = threading.Event()

    def script(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        handler.chunk(delta={"content": "first"})
        if seen.wait(10):
            handler.chunk(delta={"content": "second"}, finish_reason="stop")
        handler.end()

    server.script = script
    events = client.generate(ChatRequest(QUESTION), threading.Event()).events
    assert next(events) == TextDelta("first")
    seen.set()
    assert next(events) == TextDelta("second")
    events.close()


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_who_leaves_closes_the_connection(client: OpenAICompatible, server: OpenAIServer, how: str) -> None:
    server.script = lambda handler, _: handler.say_forever()
    cancelled = threading.Event()
    events = client.generate(ChatRequest(QUESTION), cancelled).events
    next(events)
    if how == "close":
        events.close()
    else:
        cancelled.set()
        assert not any(isinstance(event, Finish) for event in events)
    assert server.gone.wait(10), "the server still talks to nobody"


def test_who_leaves_while_the_server_thinks_closes_the_connection(
    client: OpenAICompatible, server: OpenAIServer
) -> None:
    """No byte comes for a long time: waiting for one must not keep the connection open."""
    released = threading.Event()

    def script(handler: Handler, _: dict[str, Any]) -> None:
        handler.begin()
        handler.wfile.flush()
        handler.connection.settimeout(10)
        if handler.rfile.read(1) == b"":
            released.set()

    server.script = script
    cancelled = threading.Event()
    threading.Timer(0.2, cancelled.set).start()
    assert list(client.generate(ChatRequest(QUESTION), cancelled).events) == []
    assert released.wait(10)


@pytest.mark.parametrize(
    ("status", "message", "code", "words"),
    [
        (400, "bad parameter", "ValidationException", "bad parameter"),
        (
            400,
            "maximum context length is 10",
            "ValidationException",
            "Input is too long for requested model.",
        ),
        (401, "no", "AccessDeniedException", "LOCALBEDROCK_OPENAI_KEY"),
        (404, "model 'x' not found", "ResourceNotFoundException", "not found"),
        (408, "slow", "ModelTimeoutException", "slow"),
        (429, "busy", "ThrottlingException", "Too many requests"),
        (500, "boom", "ModelErrorException", "boom"),
    ],
)
def test_the_servers_errors_become_awss(
    client: OpenAICompatible, server: OpenAIServer, status: int, message: str, code: str, words: str
) -> None:
    server.script = lambda handler, _: handler.answer({"error": {"message": message}}, status)
    error = _fails(client)
    assert error.code == code
    assert words in error.message


def _break_off(handler: Handler, _: dict[str, Any]) -> None:
    handler.begin()
    handler.chunk(delta={"content": "half"})


def _garbage(handler: Handler, _: dict[str, Any]) -> None:
    handler.begin()
    handler.wfile.write(b"data: {not json\n\n")


def _error_inside(handler: Handler, _: dict[str, Any]) -> None:
    handler.begin()
    handler.wfile.write(b'data: {"error": {"message": "out of memory"}}\n\n')


@pytest.mark.parametrize("script", [_break_off, _garbage, _error_inside])
def test_a_broken_stream_is_an_error_not_an_end(
    client: OpenAICompatible, server: OpenAIServer, script: Callable[[Handler, dict[str, Any]], None]
) -> None:
    server.script = script
    assert _fails(client).code == "ModelStreamErrorException"


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as bound:  # bound, not listening: nobody else can take the port meanwhile
        bound.bind(("127.0.0.1", 0))
        client = OpenAICompatible(f"http://127.0.0.1:{bound.getsockname()[1]}/v1")
        assert client.models() == ()
        assert _fails(client).code == "ServiceUnavailableException"


def test_a_server_that_says_nothing_times_out(
    client: OpenAICompatible, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def script(_handler: Handler, _body: dict[str, Any]) -> None:
        release.wait(10)

    server.script = script
    monkeypatch.setattr(openai_compatible, "_READ_S", 0.2)
    assert _fails(client).code == "ModelTimeoutException"
    release.set()


def test_models_are_listed_and_remembered(client: OpenAICompatible) -> None:
    assert client.models() == ("nomic-embed-text", "tiny:1b")
    assert client.models() is client.models()


def test_embeddings_come_in_order(client: OpenAICompatible) -> None:
    assert client.embed("nomic-embed-text", ["a", "b"]) == ([[0.0, 1.0], [1.0, 1.0]], 7)


def test_tokens_cannot_be_counted(client: OpenAICompatible) -> None:
    with pytest.raises(AwsError, match="The provided model doesn't support counting tokens"):
        client.count_tokens(ChatRequest(QUESTION))
