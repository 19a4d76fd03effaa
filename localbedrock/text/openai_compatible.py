"""The models of an OpenAI-compatible server (Ollama, vLLM, llama-server): `/v1/models`, chat, embeddings."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import urllib3

from localbedrock.errors import (
    AwsError,
    access_denied,
    model_error,
    model_stream_error,
    model_timeout,
    not_found,
    throttled,
    unavailable,
    validation,
)
from localbedrock.text.engine import (
    ChatRequest,
    Event,
    Finish,
    FinishReason,
    Generation,
    Image,
    Message,
    ReasoningDelta,
    Tally,
    Text,
    TextDelta,
    ToolCall,
    ToolDelta,
    ToolResult,
    ToolStart,
)
from localbedrock.text.pump import Pump

logger = logging.getLogger(__name__)

_CONNECT_S, _READ_S, _LIST_S = 5.0, 300.0, 3.0
_LIST_AGE_S = 60.0
_TOO_LONG = re.compile(r"context[ _-]?(length|window|size)|too long|maximum context", re.IGNORECASE)
_REASONS: dict[str, FinishReason] = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filtered",
}


class OpenAICompatible:
    """Talks to one server. Safe to use from many threads. The key is never logged."""

    def __init__(self, url: str, key: str | None = None) -> None:
        """``url`` is the base that ends in ``/v1``. Nothing is asked of the server yet."""
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._pool = urllib3.PoolManager(maxsize=16, headers=headers, retries=False)
        self._lock = threading.Lock()
        self._models: tuple[str, ...] = ()
        self._listed_at = float("-inf")

    def close(self) -> None:
        """Drop the connections."""
        self._pool.clear()

    def models(self) -> tuple[str, ...]:
        """The server's model names, asked for once a minute; the last known ones while it is away."""
        with self._lock:
            if time.monotonic() - self._listed_at > _LIST_AGE_S:
                self._listed_at = time.monotonic()
                try:
                    response = self._pool.request(
                        "GET", f"{self._url}/models", timeout=urllib3.Timeout(_LIST_S)
                    )
                    self._models = tuple(sorted(str(model["id"]) for model in response.json()["data"]))
                except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
                    logger.warning("no model list from %s: %s", self._url, type(error).__name__)
            return self._models

    def count_tokens(self, request: ChatRequest) -> int:  # noqa: ARG002  an Engine's method
        raise validation("The provided model doesn't support counting tokens.")

    def embed(self, model: str, texts: list[str]) -> tuple[list[list[float]], int]:
        """The vectors of the texts, and the tokens they took."""
        with _connection_errors():
            response = self._pool.request(
                "POST", f"{self._url}/embeddings", json={"model": model, "input": texts}, timeout=_timeout()
            )
        if response.status >= 400:
            raise _refusal(response.status, response.data, model)
        try:
            answer = response.json()
            vectors = [item["embedding"] for item in sorted(answer["data"], key=lambda item: item["index"])]
            return vectors, int((answer.get("usage") or {}).get("prompt_tokens", 0))
        except (ValueError, KeyError, TypeError) as error:
            raise model_error(f"{model} gave an answer that is no list of embeddings.") from error

    def generate(self, request: ChatRequest, cancelled: threading.Event) -> Generation:
        with _connection_errors():
            response = self._pool.request(
                "POST",
                f"{self._url}/chat/completions",
                json=_body(request),
                timeout=_timeout(),
                preload_content=False,
            )
        if response.status >= 400:
            with response:
                raise _refusal(response.status, response.read(65536), request.model)
        tally = Tally()
        return Generation(None, _events(response, _Reader(request, tally), cancelled), tally)


def _timeout() -> urllib3.Timeout:
    return urllib3.Timeout(connect=_CONNECT_S, read=_READ_S)


# What is sent


def _body(request: ChatRequest) -> dict[str, Any]:
    messages = [{"role": "system", "content": request.system}] if request.system else []
    body: dict[str, Any] = {
        "model": request.model,
        "messages": messages + [out for message in request.messages for out in _message(message)],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    optional = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "stop": list(request.stop) or None,
    }
    body.update({name: value for name, value in optional.items() if value is not None})
    if request.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
            }
            for tool in request.tools
        ]
        body["tool_choice"] = _tool_choice(request.force_tool)
    if request.json_schema is not None:
        schema = {"name": "answer", "schema": request.json_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _tool_choice(force: str) -> Any:
    named = {"type": "function", "function": {"name": force}}
    return {"": "auto", "*": "required"}.get(force, named)


def _message(message: Message) -> Iterator[dict[str, Any]]:
    """One turn as OpenAI's messages: each tool result is a message of its own, before what else was said."""
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in message.parts:
        match part:
            case Text(text):
                content.append({"type": "text", "text": text})
            case Image(format_, data):
                url = f"data:image/{format_};base64,{base64.b64encode(data).decode()}"
                content.append({"type": "image_url", "image_url": {"url": url}})
            case ToolCall(call_id, name, arguments):
                function = {"name": name, "arguments": json.dumps(arguments)}
                calls.append({"id": call_id, "type": "function", "function": function})
            case ToolResult(call_id, text, failed):
                said = f"Error: {text}" if failed else text
                yield {"role": "tool", "tool_call_id": call_id, "content": said}
    if content or calls:
        out: dict[str, Any] = {"role": message.role}
        only_text = all(item["type"] == "text" for item in content)
        out["content"] = "".join(item["text"] for item in content) if only_text else content
        if calls:
            out["tool_calls"] = calls
        yield out


# What comes back


def _events(
    response: urllib3.BaseHTTPResponse, reader: _Reader, cancelled: threading.Event
) -> Generator[Event, None, None]:
    pump = Pump[dict[str, Any]](lambda emit: _read(response, emit), cancelled, lambda: _hang_up(response))
    chunks = pump.items()
    try:
        for chunk in chunks:
            yield from reader.read(chunk)
        if not cancelled.is_set():
            yield reader.finish()
    finally:
        chunks.close()
        response.close()


def _hang_up(response: urllib3.BaseHTTPResponse) -> None:
    """Wake the thread that waits for the server's next byte; it may have come to its end by itself."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        response.shutdown()


def _read(response: urllib3.BaseHTTPResponse, emit: Callable[[dict[str, Any]], bool]) -> None:
    """Parse server-sent events until ``[DONE]``; lines may come in any number of pieces."""
    rest = b""
    done = False
    try:
        while piece := response.read1(4096):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                data = line.strip().removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                done = done or data == b"[DONE]"
                if data and not done and not emit(json.loads(data)):
                    return
    except urllib3.exceptions.ReadTimeoutError as error:
        raise model_timeout("The model took too long to go on.") from error
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        if not done:
            raise model_stream_error("The model's server broke the stream off.") from error
    if not done:
        emit({"eof": True})


class _Reader:
    """Makes events of OpenAI's chunks."""

    def __init__(self, request: ChatRequest, tally: Tally) -> None:
        self._request = request
        self._tally = tally  # one chunk is one token, until the server gives its own count
        self._tool_index: int | None = None
        self._ended: str | None = None
        self._matched: str | None = None
        self._usage: dict[str, Any] = {}

    def read(self, chunk: dict[str, Any]) -> Iterator[Event]:
        if error := chunk.get("error"):
            said = error.get("message", "no reason given") if isinstance(error, dict) else str(error)
            raise model_stream_error(f"The model's server reported: {said}")
        if chunk.get("eof") and self._ended is None:
            raise model_stream_error("The model's server ended the stream before the answer was complete.")
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            yield from self._delta(choice.get("delta") or {})
            self._ended = choice.get("finish_reason") or self._ended
            matched = choice.get("stop_reason")  # vLLM: the stop sequence that was met
            self._matched = matched if isinstance(matched, str) else self._matched

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        self._tally.output_tokens += bool(delta)
        if thought := delta.get("reasoning_content") or delta.get("reasoning"):
            yield ReasoningDelta(thought)
        if text := delta.get("content"):
            yield TextDelta(text)
        for call in delta.get("tool_calls") or ():
            function = call.get("function") or {}
            if call.get("index", 0) != self._tool_index:
                self._tool_index = call.get("index", 0)
                yield ToolStart(str(function.get("name", "")))
            if arguments := function.get("arguments"):
                yield ToolDelta(arguments if isinstance(arguments, str) else json.dumps(arguments))

    def finish(self) -> Finish:
        """The end; some servers say "stop" even when the answer is a tool call."""
        reason: FinishReason = _REASONS.get(self._ended or "", "end_turn")
        if self._tool_index is not None and reason == "end_turn":
            reason = "tool_use"
        stop = self._matched if self._matched in self._request.stop else None
        if stop is not None:
            reason = "stop_sequence"
        self._tally.output_tokens = int(self._usage.get("completion_tokens", self._tally.output_tokens))
        return Finish(reason, int(self._usage.get("prompt_tokens", 0)), self._tally.output_tokens, stop)


# Faults


@contextlib.contextmanager
def _connection_errors() -> Iterator[None]:
    """urllib3's errors as AWS's."""
    try:
        yield
    except urllib3.exceptions.ReadTimeoutError as error:
        raise model_timeout("The model's server did not answer in time.") from error
    except urllib3.exceptions.HTTPError as error:
        raise unavailable("The model's server (LOCALBEDROCK_OPENAI_URL) can't be reached.") from error


def _refusal(status: int, body: bytes, model: str) -> AwsError:
    said = _message_of(body)
    if status in {401, 403}:
        return access_denied(f"The model's server refused the key (LOCALBEDROCK_OPENAI_KEY): {said}")
    if status == 404:
        return not_found(f"The model's server does not serve {model}: {said}")
    if status in {408, 504}:
        return model_timeout(f"The model's server took too long: {said}")
    if status == 429:
        return throttled(f"Too many requests, please wait before trying again. {said}")
    if status >= 500:
        return model_error(f"The model's server failed: {said}", original_status=status)
    if _TOO_LONG.search(said):
        return validation("Input is too long for requested model.")
    return validation(f"The model returned the following errors: {said}")


def _message_of(body: bytes) -> str:
    try:
        error = json.loads(body)
        error = error.get("error", error)
        return str(error.get("message", error) if isinstance(error, dict) else error)[:500]
    except (ValueError, AttributeError):
        return body[:200].decode("utf-8", "replace")
