"""What an engine is asked and what it answers, whoever runs the model and whichever body the caller wrote.

The families of ``runtime`` turn AWS's bodies into a :class:`ChatRequest`; an :class:`Engine` answers it
with an iterator of events that ends with exactly one :class:`Finish`.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant"]
FinishReason = Literal[
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "content_filtered", "context_window"
]


@dataclass(frozen=True)
class Text:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Image:
    """One picture; only engines whose model takes images ever see it."""

    format: str
    data: bytes


@dataclass(frozen=True)
class ToolCall:
    """A call that the model made in an earlier turn."""

    call_id: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class ToolResult:
    """What a call came back with, as text."""

    call_id: str
    text: str
    failed: bool = False


Part = Text | Image | ToolCall | ToolResult


@dataclass(frozen=True)
class Message:
    """One turn."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; ``schema`` is a JSON Schema of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class ChatRequest:
    """One generation. ``None`` means that the caller said nothing and the engine's default holds.

    ``force_tool`` is ``""`` for the model's own choice, ``"*"`` for any tool, otherwise a tool's name.
    A last message of the assistant is continued, not answered.
    """

    messages: tuple[Message, ...]
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[Tool, ...] = ()
    force_tool: str = ""
    json_schema: dict[str, Any] | None = None
    model: str = ""
    """Which model to use, for an engine that has several."""


@dataclass(frozen=True)
class TextDelta:
    """The next piece of text; never half a character."""

    text: str


@dataclass(frozen=True)
class ReasoningDelta:
    """The next piece of the model's thinking."""

    text: str


@dataclass(frozen=True)
class ToolStart:
    """A tool call begins; its arguments follow as :class:`ToolDelta`."""

    name: str


@dataclass(frozen=True)
class ToolDelta:
    """The next piece of the call's arguments: JSON text, valid once joined."""

    json: str


@dataclass(frozen=True)
class Finish:
    """The end: why, which stop sequence it was, and the tokens the tokenizer counted."""

    reason: FinishReason
    input_tokens: int
    output_tokens: int
    stop_sequence: str | None = None


Event = TextDelta | ReasoningDelta | ToolStart | ToolDelta | Finish


@dataclass
class Tally:
    """The output tokens so far: what was generated even where the end is never reached."""

    output_tokens: int = 0


@dataclass(frozen=True)
class Generation:
    """A generation that has been accepted.

    ``input_tokens`` is None where the size of the prompt is not known before the end.
    Closing ``events`` stops the decoding.
    """

    input_tokens: int | None
    events: Generator[Event, None, None]
    tally: Tally


class Engine(Protocol):
    """Something that answers a :class:`ChatRequest`."""

    def generate(self, request: ChatRequest, cancelled: threading.Event) -> Generation:
        """Check the request and start; AwsError for what can be known before the first token."""
        ...

    def count_tokens(self, request: ChatRequest) -> int:
        """The input tokens ``generate`` would report; AwsError where the model cannot count."""
        ...

    def close(self) -> None:
        """Let go of the model; what still runs is cancelled."""
        ...


def joined(events: Iterable[Event]) -> list[Event]:
    """The events with neighbouring pieces of one kind in one."""
    together: list[Event] = []
    for event in events:
        match (together[-1] if together else None, event):
            case (TextDelta(before), TextDelta(text)):
                together[-1] = TextDelta(before + text)
            case (ReasoningDelta(before), ReasoningDelta(text)):
                together[-1] = ReasoningDelta(before + text)
            case (ToolDelta(before), ToolDelta(json)):
                together[-1] = ToolDelta(before + json)
            case _:
                together.append(event)
    return together


@dataclass
class Block:
    """One finished content block of a reply: text, reasoning or a tool call (``text`` is its JSON)."""

    kind: Literal["text", "reasoning", "tool"]
    text: str = ""
    name: str = ""


@dataclass
class Reply:
    """A whole generation, folded."""

    blocks: list[Block] = field(default_factory=list)
    finish: Finish | None = None

    @property
    def text(self) -> str:
        """The text of all text blocks."""
        return "".join(block.text for block in self.blocks if block.kind == "text")

    @property
    def end(self) -> Finish:
        """How it ended; a reply that was cut off has an end without tokens."""
        return self.finish or Finish("end_turn", 0, 0)

    def add(self, event: Event) -> None:
        """Fold one more event in."""
        match event:
            case TextDelta(text):
                self._block("text").text += text
            case ReasoningDelta(text):
                self._block("reasoning").text += text
            case ToolStart(name):
                self.blocks.append(Block("tool", name=name))
            case ToolDelta(json):
                self.blocks[-1].text += json
            case Finish():
                self.finish = event

    def _block(self, kind: Literal["text", "reasoning"]) -> Block:
        if not self.blocks or self.blocks[-1].kind != kind:
            self.blocks.append(Block(kind))
        return self.blocks[-1]


def fold(events: Iterable[Event]) -> Reply:
    """All events as one reply."""
    reply = Reply()
    for event in events:
        reply.add(event)
    return reply
