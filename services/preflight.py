"""What a send will take, known before it: tokens, price, room in the context, and what would be refused.

Tokens come from CountTokens, in the background and kept by what was counted; until then, and for models that
CountTokens does not serve, there is an estimate, and it is called one.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import streamlit as st

from services import backend
from services.attachments import kind_of
from services.capabilities import capabilities_of
from services.clients import Identity, client
from services.conversations import Pane, RefusedError, Settings, Turn, converse_call
from services.models import Model
from services.pricing import PASSED_ON, cost_usd
from services.problems import Problem
from services.runs import Call, TokenUsage

JsonDict = dict[str, Any]

_NO_WORDS: tuple[JsonDict, ...] = ({"text": "."},)
"""Stands for the next prompt: a conversation that ends with a reply cannot be counted by every model."""
_NOT_SERVED = "CountTokens does not serve this model."
_LOCAL_MODEL = "local.smollm2"
_CHARACTERS_PER_TOKEN = 4
_MOST_COUNTS = 4096
_RETRY_AFTER_S = 60.0
_THREADS = 4


@dataclass(frozen=True)
class Count:
    """Input tokens. `exact` is False for an estimate; `why` then says why it is none of CountTokens.

    `uncounted_files` are files that an estimate leaves out; `pending` while CountTokens is being asked.
    """

    tokens: int
    exact: bool = True
    pending: bool = False
    why: str = ""
    uncounted_files: int = 0


@dataclass(frozen=True)
class Preflight:
    """What one pane would send. USD are None where the model is unpriced, tokens where there is no count.

    `most_output_tokens` is the pane's maxTokens, else the most that the model puts out and has room for.
    `room_tokens` is what the context window has left after the input and maxTokens. `problem` would stop the
    call, `warnings` do not.
    """

    count: Count | None
    input_usd: float | None = None
    most_output_tokens: int | None = None
    most_output_usd: float | None = None
    context_tokens: int | None = None
    room_tokens: int | None = None
    problem: Problem | None = None
    warnings: tuple[str, ...] = ()


class TokenCounter:
    """Asks CountTokens in threads of its own, and keeps the answers. Shared by all sessions.

    A refusal is kept like an answer: for good where the model cannot be counted, else for a minute.
    """

    def __init__(self) -> None:
        self._todo: SimpleQueue[tuple[Future[int], Call, Model] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._asked: OrderedDict[object, Future[int]] = OrderedDict()
        self._failed_at: dict[object, float] = {}
        self._not_served: set[tuple[Identity, str]] = set()

    def count(self, key: object, call: Call, model: Model) -> int | str | None:
        """The input tokens of a call; None while they are being counted, a sentence where they cannot be.

        `key` says what is counted and for whom; the same key gets the same answer.
        """
        if (call.identity, model.base_model_id) in self._not_served:
            return _NOT_SERVED
        with self._lock:
            if time.monotonic() - self._failed_at.get(key, float("inf")) > _RETRY_AFTER_S:
                self._asked.pop(key, None)
                self._failed_at.pop(key, None)
            future = self._asked.get(key)
            if future is None:
                future = self._asked[key] = self._submit(call, model)
                while len(self._asked) > _MOST_COUNTS:
                    self._failed_at.pop(self._asked.popitem(last=False)[0], None)
            self._asked.move_to_end(key)
        if not future.done():
            return None
        if error := future.exception():
            why = _why_not(error)
            if why == _NOT_SERVED:
                self._not_served.add((call.identity, model.base_model_id))
            self._failed_at.setdefault(key, time.monotonic())
            return why
        return future.result()

    def wait(self, timeout_s: float) -> None:
        """Wait until everything that was asked is answered."""
        wait(list(self._asked.values()), timeout_s)

    def close(self) -> None:
        """End the threads."""
        for _ in self._threads:
            self._todo.put(None)
        for thread in self._threads:
            thread.join()

    def _submit(self, call: Call, model: Model) -> Future[int]:
        """Daemon threads do the work: a call that hangs must not keep the server from stopping."""
        if len(self._threads) < _THREADS:
            thread = threading.Thread(target=self._work, name="count-tokens", daemon=True)
            self._threads.append(thread)
            thread.start()
        future: Future[int] = Future()
        self._todo.put((future, call, model))
        return future

    def _work(self) -> None:
        while job := self._todo.get():
            future, call, model = job
            try:
                future.set_result(_ask(call, model))
            except Exception as error:  # noqa: BLE001 - the answer is this error
                future.set_exception(error)


@st.cache_resource(show_spinner=False)
def counter() -> TokenCounter:
    """The one counter of this process."""
    return TokenCounter()


def of_pane(
    pane: Pane, model: Model | None, identity: Identity, prompt: Sequence[JsonDict] = (), draft_key: str = ""
) -> Preflight:
    """What the pane would send with this prompt; without one, what it sends with every next one.

    Nothing is counted where there is neither a chat nor a prompt. `draft_key` names the prompt: two prompts
    with one key are taken to be the same.
    """
    if model is None:
        return Preflight(None)
    turns = tuple(pane.turns)
    try:
        call = converse_call(
            pane.settings, model, turns, prompt or _NO_WORDS, identity=identity, user="", tags={}
        )
    except RefusedError as refused:
        return Preflight(None, problem=refused.problem, warnings=_warnings(model))
    if not prompt and not any(turn.run or turn.reply for turn in turns):
        return Preflight(None, warnings=_warnings(model))
    key = (identity, model.base_model_id, _settings_key(pane.settings), *map(_turn_key, turns), draft_key)
    count = _count(key, call, model, turns, prompt)
    return _numbers(count, pane.settings, model, _context_tokens(model, identity))


def _context_tokens(model: Model, identity: Identity) -> int | None:
    """The context window. A stand-in on the local endpoint has that of the local model behind it."""
    if identity.backend == "local" and not model.model_id.startswith(PASSED_ON):
        return capabilities_of(_LOCAL_MODEL).context_tokens
    return model.capabilities.context_tokens


def _numbers(count: Count, settings: Settings, model: Model, context: int | None) -> Preflight:
    asked = int(settings.parameters.get("maxTokens") or 0)
    left = None if context is None else context - count.tokens
    most = asked or model.capabilities.max_output_tokens
    if most and left is not None and not asked:
        most = min(most, max(left, 0))
    room = None if left is None else left - asked
    input_usd = cost_usd(TokenUsage(count.tokens, 0), model.price)
    both_usd = cost_usd(TokenUsage(count.tokens, most), model.price) if most else None
    found = _warnings(model)
    if room is not None and (room < 0 or left == 0):
        found += (_no_room(count.tokens, context or 0, settings),)
    return Preflight(
        count=count,
        input_usd=input_usd,
        most_output_tokens=most,
        most_output_usd=None if both_usd is None or input_usd is None else both_usd - input_usd,
        context_tokens=context,
        room_tokens=room,
        warnings=found,
    )


def _no_room(tokens: int, context: int, settings: Settings) -> str:
    left = context - tokens
    if left > 0 and settings.parameters.get("maxTokens"):
        return f"It does not fit: lower maxTokens to {left:,}, or start a new chat."
    return (
        f"It does not fit into {context:,} tokens: start a new chat, shorten it, or choose a longer context."
    )


def _warnings(model: Model) -> tuple[str, ...]:
    found = []
    if model.access == "not_available":
        found.append(f"No access: {model.access_reason or 'ask for it in the Bedrock console.'}")
    if model.lifecycle == "LEGACY":
        end = f" and ends on {model.end_of_life:%d %b %Y}" if model.end_of_life else ""
        found.append(f"The model is legacy{end}: plan for another.")
    return tuple(found)


def _count(key: object, call: Call, model: Model, turns: Sequence[Turn], prompt: Sequence[JsonDict]) -> Count:
    said = counter().count(key, call, model) if model.base_model_id else "The model behind it is not known."
    if isinstance(said, int):
        return Count(said)
    tokens, files = _estimate(call.request, turns, prompt)
    return Count(tokens, exact=False, pending=said is None, why=said or "", uncounted_files=files)


def _estimate(
    request: Mapping[str, Any], turns: Sequence[Turn], prompt: Sequence[JsonDict]
) -> tuple[int, int]:
    """Tokens as the last reply's usage tells them, and four characters a token for what is new.

    Also how many files are in none of it.
    """
    last = next((turn.run for turn in reversed(turns) if turn.run and turn.run.state == "done"), None)
    if last and last.usage:
        return last.usage.total_tokens + _characters(prompt) // _CHARACTERS_PER_TOKEN, _files(prompt)
    everything = [block for message in request.get("messages") or () for block in message["content"]]
    words = _characters([*(request.get("system") or ()), *everything])
    return words // _CHARACTERS_PER_TOKEN, _files(everything)


def _characters(blocks: Sequence[JsonDict]) -> int:
    return sum(len(block["text"]) for block in blocks if isinstance(block.get("text"), str))


def _files(blocks: Sequence[JsonDict]) -> int:
    return sum(kind_of(block) is not None for block in blocks)


def _settings_key(settings: Settings) -> str:
    """Everything in the settings that may add tokens: all but the numbers and stop sequences."""
    return repr(replace(settings, parameters={}, stop_sequences=()))


def _turn_key(turn: Turn) -> object:
    """A run never changes once it is in a turn, so its ID stands for prompt and reply."""
    if turn.run:
        return turn.run.id, turn.run.state
    return (turn.prompt_text, repr(turn.reply)) if turn.reply else ()


def _ask(call: Call, model: Model) -> int:
    """CountTokens for a call. It takes foundation models alone, so a profile is counted as its model."""
    if call.identity.backend == "local":
        backend.wait_while_starting()
    body = call.request.get("body")
    if body is not None:
        given = {"invokeModel": {"body": body if isinstance(body, bytes) else json.dumps(body).encode()}}
    else:
        taken = ("messages", "system", "toolConfig", "additionalModelRequestFields")
        given = {"converse": {name: call.request[name] for name in taken if name in call.request}}
    answer = client("bedrock-runtime", call.identity).count_tokens(modelId=model.base_model_id, input=given)
    return int(answer["inputTokens"])


def _why_not(error: BaseException) -> str:
    message = str(getattr(error, "response", {}).get("Error", {}).get("Message", ""))
    if "count" in message.lower():
        return _NOT_SERVED
    code = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
    return f"CountTokens could not be asked ({code})."
