"""A guardrail around one call of a model: its input before, its output while it is written, and the trace.

Used by Converse, InvokeModel, RetrieveAndGenerate and their streams. What is blocked in the input costs no
model: the answer is the guardrail's message, without tokens. Tools' arguments, tool results and reasoning are
not looked at, as on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from localbedrock.context import Context
from localbedrock.guardrails import checking, engine, resources
from localbedrock.guardrails.streams import Filter, Mode, filter_for
from localbedrock.guardrails.values import Content, Verdict
from localbedrock.text.engine import Event, Finish, Generation, Reply, Tally, TextDelta


@dataclass
class Guard:
    """One guardrail on one call. ``trace`` is ``enabled``, ``enabled_full`` or ``disabled``."""

    ctx: Context
    guardrail: Mapping[str, Any]
    trace: str = "disabled"
    input: Verdict | None = None
    """Of the input, once it has been checked."""
    output: Verdict | None = None
    """Of the output, once it has ended."""
    raw: Reply = field(default_factory=Reply)
    """What the model said, before the guardrail."""
    _references: list[Content] = field(default_factory=list)
    """Grounding sources and query."""
    _judged: tuple[str, Verdict] | None = None
    _acted: bool = False
    """Whether a part of the output made it act."""

    @property
    def id(self) -> str:
        """The guardrail's id."""
        return str(self.guardrail["guardrailId"])

    @property
    def intervened(self) -> bool:
        """Whether it has blocked or masked anything so far."""
        return self._acted or any(verdict.action != "NONE" for verdict in self._verdicts())

    @property
    def blocks_input(self) -> bool:
        """Whether the model must not be asked."""
        return self.input is not None and self.input.blocked

    @property
    def reason(self) -> str:
        """AWS's actionReason: one line for each side that was checked."""
        return "\n".join(verdict.reason for verdict in self._verdicts() if verdict.reason)

    def check_input(self, contents: Sequence[Content]) -> Sequence[str]:
        """Check the input; the texts that the model is to be given instead, in the same order."""
        self.ground(contents)
        if not contents:
            return ()
        self.input = checking.check(self.ctx, self.guardrail, contents, "INPUT")
        return self.input.masked or [each.text for each in contents]

    def ground(self, contents: Iterable[Content]) -> None:
        """Notes those of the contents that the output is to be grounded in or relevant to."""
        for each in contents:
            if marks := each.qualifiers - {"guard_content"}:
                self._references.append(Content(each.text, marks))

    def generate(self, generate: Callable[[], Generation], mode: Mode) -> Generation:
        """The model's answer under the guardrail. Where the input is blocked no model is asked."""
        if self.blocks_input:
            return Generation(0, self._refusal(), Tally())
        generation = generate()
        return Generation(generation.input_tokens, self._events(generation, mode), generation.tally)

    def assessments(self) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """AWS's GuardrailAssessment of the input and of the output, as the trace tells them."""
        return self._told(self.input), self._told(self.output)

    def _verdicts(self) -> list[Verdict]:
        return [verdict for verdict in (self.input, self.output) if verdict is not None]

    def _refusal(self) -> Generator[Event, None, None]:
        yield TextDelta(self.guardrail["blockedInputMessaging"])
        yield Finish("end_turn", 0, 0)

    def _events(self, generation: Generation, mode: Mode) -> Generator[Event, None, None]:
        """Whatever is no text lets the text before it go first, so the order stays."""
        if mode == "sync" and self._is_grounded:
            mode = "whole"
        texts = filter_for(mode, self._judge if mode == "whole" else self._judge_part)
        with closing(generation.events) as events:
            for event in events:
                self.raw.add(event)
                shown = texts.feed(event.text) if isinstance(event, TextDelta) else texts.flush()
                if shown:
                    yield TextDelta(shown)
                if texts.blocked or isinstance(event, Finish):
                    self._conclude(texts)
                if self.output is not None and self.output.blocked:
                    break
                if not isinstance(event, TextDelta):
                    yield event
        if self.output is not None and self.output.blocked:
            yield TextDelta(self.guardrail["blockedOutputsMessaging"])
            end = self.raw.finish or Finish(
                "end_turn", generation.input_tokens or 0, generation.tally.output_tokens
            )
            yield Finish("end_turn", end.input_tokens, end.output_tokens)

    def _conclude(self, texts: Filter) -> None:
        """The verdict on all that the model said, once: it is what trace and metrics tell."""
        if self.output is not None or not self.raw.text:
            return
        verdict = self._judge(self.raw.text)
        if texts.blocked and not verdict.blocked:
            verdict = texts.blocked
        self.output = verdict
        checking.tell(self.ctx, self.guardrail, "OUTPUT", verdict)

    @property
    def _is_grounded(self) -> bool:
        """Whether the answer can only be judged as a whole."""
        return bool(self._references) and "contextualGroundingPolicy" in self.guardrail

    def _judge(self, text: str) -> Verdict:
        """The verdict on all of an answer, grounding included."""
        if self._judged is None or self._judged[0] != text:
            answer = Content(text, frozenset({"guard_content"}) if self._references else frozenset())
            self._judged = (text, self._evaluate([answer, *self._references]))
        return self._judged[1]

    def _judge_part(self, text: str) -> Verdict:
        """The verdict on a part of an answer, whose grounding nobody can know yet."""
        verdict = self._evaluate([Content(text)])
        self._acted = self._acted or verdict.action != "NONE"
        return verdict

    def _evaluate(self, contents: Sequence[Content]) -> Verdict:
        with checking.counting_refusals(self.ctx, self.guardrail, "OUTPUT"):
            return engine.evaluate(self.guardrail, contents, "OUTPUT", self.ctx.models.embedder)

    def _told(self, verdict: Verdict | None) -> dict[str, Any] | None:
        if verdict is None:
            return None
        return verdict.full_assessment if self.trace == "enabled_full" else verdict.assessment


def guard_for(ctx: Context, identifier: str, version: str, trace: str = "disabled") -> Guard:
    """The guardrail that a call names; AwsError for one that does not exist."""
    return Guard(ctx, resources.find(ctx, identifier, version), trace.lower())
