"""The model's side of RetrieveAndGenerate: which model answers, what it is asked, and its words.

Knowledge bases ask a model through Converse, and that call is what metrics and invocation logs show, as on
AWS: the prompt with its passages under ``Converse`` or ``ConverseStream``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from localbedrock.catalogue import FoundationModel, resolve
from localbedrock.context import Context
from localbedrock.errors import AwsError, validation
from localbedrock.guardrails.guarded import Guard
from localbedrock.guardrails.streams import Mode
from localbedrock.guardrails.values import Content
from localbedrock.knowledge import rag_prompt
from localbedrock.knowledge.excerpts import excerpt
from localbedrock.knowledge.rag_prompt import Turn
from localbedrock.runtime.converse import answer_of
from localbedrock.runtime.converse_request import parse
from localbedrock.runtime.engines import NOT_A_CHAT_MODEL, engine_of
from localbedrock.runtime.recorder import Recorder
from localbedrock.text.engine import ChatRequest, Generation, Reply, TextDelta
from localbedrock.text.llama import CONTEXT_TOKENS

DEFAULT_PROMPT_TOKENS = 1200
"""The longest default prompt for the local model, conversation and all: the first token waits for it."""
EXCERPT_TOKENS = 80
"""What the default prompt shows the local model of each passage: it answers better from little."""


@dataclass(frozen=True)
class Model:
    """A text model with the generationConfiguration of one request."""

    ctx: Context
    model: FoundationModel
    model_id: str
    settings: dict[str, Any]

    @property
    def template(self) -> str:
        """The caller's template, or ours."""
        return str(
            self.settings.get("promptTemplate", {}).get("textPromptTemplate", rag_prompt.DEFAULT_TEMPLATE)
        )

    @property
    def is_local(self) -> bool:
        """Whether the local model answers: its context is known and it is small."""
        return self.model.backend == "llama"

    def ask(
        self,
        operation: str,
        passages: Sequence[str],
        turns: Sequence[Turn],
        question: str,
        guard: Guard | None = None,
    ) -> tuple[Answering, int]:
        """The generation, begun, and how many of the passages the model is shown.

        A guardrail judges the answer by these passages and the question. AwsError for what the model
        cannot take.
        """
        ours = self.template == rag_prompt.DEFAULT_TEMPLATE and self.is_local
        embedder = self.ctx.models.embedder
        shown = [excerpt(each, question, EXCERPT_TOKENS, embedder) if ours else each for each in passages]
        engine = engine_of(self.ctx, self.model)

        def request(kept: Sequence[str], history: Sequence[Turn]) -> ChatRequest:
            return parse(self.model, self._body(kept, history, question))

        kept, history = rag_prompt.fitting(
            shown,
            turns,
            self._room(ours) if self.is_local else None,
            lambda kept, history: engine.count_tokens(request(kept, history)),
            embedder.truncate,
        )
        final, body = request(kept, history), self._body(kept, history, question)
        recorder = Recorder(self.ctx, operation, self.model_id, body)
        try:
            generation = _guarded(
                guard,
                lambda: engine.generate(final, self.ctx.cancelled),
                "whole" if operation == "Converse" else "sync",
                passages[: len(kept)],
                question,
            )
        except AwsError:
            with recorder.reporting():
                raise
        return Answering(recorder, generation, body), len(kept)

    def _room(self, ours: bool) -> int:
        wanted: int = min(self._inference_config()["maxTokens"], rag_prompt.ANSWER_TOKENS)
        whole = CONTEXT_TOKENS - wanted
        return min(whole, DEFAULT_PROMPT_TOKENS) if ours else whole

    def _body(self, passages: Sequence[str], turns: Sequence[Turn], question: str) -> dict[str, Any]:
        """The request of Converse."""
        said = [text for turn in turns for text in turn]
        said.append(rag_prompt.fill(self.template, passages, question))
        body: dict[str, Any] = {
            "messages": [
                {"role": "assistant" if place % 2 else "user", "content": [{"text": text}]}
                for place, text in enumerate(said)
            ],
            "inferenceConfig": self._inference_config(),
        }
        same = ("additionalModelRequestFields", "performanceConfig")
        return body | {name: self.settings[name] for name in same if self.settings.get(name)}

    def _inference_config(self) -> dict[str, Any]:
        given: dict[str, Any] = self.settings.get("inferenceConfig", {}).get("textInferenceConfig", {})
        config = {"maxTokens": min(rag_prompt.ANSWER_TOKENS, self.model.accepts_max_tokens)} | given
        if "temperature" not in given and "topP" not in given:
            config["temperature"] = 0.0  # as on AWS: what the passages say, not what is likely
        return config


def _guarded(
    guard: Guard | None,
    generate: Callable[[], Generation],
    mode: Mode,
    passages: Sequence[str],
    question: str,
) -> Generation:
    if guard is None:
        return generate()
    guard.ground(Content(passage, frozenset({"grounding_source"})) for passage in passages)
    guard.ground([Content(question, frozenset({"query"}))])
    return guard.generate(generate, mode)


@dataclass
class Answering:
    """A generation that is under way. ``finished``: its answer is complete, not cut off."""

    recorder: Recorder
    generation: Generation
    body: dict[str, Any]
    finished: bool = False

    def pieces(self) -> Generator[str, None, None]:
        """The answer's text as it is decoded; reports the inference once. Closing it stops the decoding."""
        reply = Reply()
        with self.recorder.reporting():
            try:
                with closing(self.recorder.watch(self.generation)) as events:
                    for event in events:
                        reply.add(event)
                        if isinstance(event, TextDelta) and event.text:
                            yield event.text
            finally:
                self.recorder.response = answer_of(reply, self.recorder, self.body)
        self.finished = reply.finish is not None


def model_of(ctx: Context, model_id: str, settings: dict[str, Any]) -> Model:
    """The model that is to answer, with its generationConfiguration; AwsError for what it can't do."""
    model = resolve(ctx, model_id)
    if "TEXT" not in model.output_modalities:
        raise validation(NOT_A_CHAT_MODEL)
    if template := settings.get("promptTemplate", {}).get("textPromptTemplate"):
        rag_prompt.check_template(template)
    config = settings.get("inferenceConfig", {}).get("textInferenceConfig", {})
    if config.get("maxTokens") == 0:
        raise validation("The maximum tokens must be at least 1.")
    if "" in config.get("stopSequences", ()):
        raise validation("A stop sequence must have at least one character.")
    return Model(ctx, model, model_id, settings)
