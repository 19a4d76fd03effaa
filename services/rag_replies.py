"""What one way of asking a knowledge base makes of one question: its calls, and the answer as it stands."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services import models, problems, replies
from services.citations import Answer, answer_from_marks, answer_of, results_of
from services.clients import Identity
from services.conversations import RefusedError, Settings, converse_call
from services.problems import Problem
from services.rag_settings import RagSettings, generate_call, retrieve_call
from services.rag_templates import EXAMPLES
from services.runs import Call, Run, new_id
from services.streaming import ReplyStream, StreamHub

_MOST_QUESTION_CHARACTERS = {"generate": 1_000, "converse": 20_000, "retrieve": 20_000}
"""By mode, as in botocore's model: RetrieveAndGenerateInput and KnowledgeBaseQuery."""

PAGE_TAG = "rag_chat"

_PLACEHOLDER = re.compile(r"\$(search_results|query)\$")
_OPEN_MARK = re.compile(r"\s*\[[\d,\s]{0,8}$")


def filled(template: str, question: str, passages: tuple[str, ...]) -> str:
    """The prompt for Converse. Passages are numbered from 1; what stands in them is not looked at again.

    >>> filled("$search_results$ $query$", "Why $query$?", ("Because.",))
    '[1] Because. Why $query$?'
    """
    values = {
        "search_results": "\n\n".join(f"[{number}] {text}" for number, text in enumerate(passages, 1)),
        "query": question,
    }
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


class RagReply:
    """One reply, from the moment the question is asked; or one that is opened again from its runs.

    Written by the thread that asks and by those of its streams; may be read by any, at any time.
    """

    def __init__(
        self,
        question: str,
        settings: RagSettings,
        *,
        answering: Run | None = None,
        retrieving: Run | None = None,
    ) -> None:
        self.question = question
        self.settings = settings
        self.key = f"rag_{new_id()}"
        self.answering: ReplyStream | Run | None = answering
        """The call that answers, once it is made."""
        self.retrieving: ReplyStream | Run | None = retrieving
        """The Retrieve call of mode "converse"."""
        self.refusal: Problem | None = None
        """Why a call was not made."""
        self._refused_at: float | None = None
        self._halted = False
        self._asked = threading.Event()  # every call that will be made is made
        self._answer: Answer | None = None
        if answering:
            self._asked.set()

    def ask(
        self,
        hub: StreamHub,
        identity: Identity,
        username: str,
        *,
        session_id: str | None = None,
        attempt: int = 1,
    ) -> None:
        """Make the calls, in threads of their own. What keeps them from being made is the `refusal`."""
        if refusal := refused(self.question, self.settings):
            self._refuse(refusal)
            return
        tags = {"page": PAGE_TAG}
        if self.settings.mode == "converse":
            call = retrieve_call(self.question, self.settings, identity, username)
            self.retrieving = hub.start(
                f"{self.key}_retrieve",
                replace(call, tags=tags, attempt=attempt),
                then=lambda run: self._answer_from(run, hub, tags, attempt),
            )
            return
        if self.settings.mode == "retrieve":
            call = retrieve_call(self.question, self.settings, identity, username)
        else:
            call = generate_call(self.question, self.settings, identity, username, session_id=session_id)
        self.answering = hub.start(self.key, replace(call, tags=tags, attempt=attempt))
        self._asked.set()

    def stop(self) -> None:
        """End it; what has arrived stays."""
        self._halted = True
        self._stop_if_halted()

    def wait_until_asked(self, timeout_s: float) -> bool:
        """Wait until every call is made, as far as any will be; False on timeout."""
        return self._asked.wait(timeout_s) or self._halted

    def follow(self, checkpoint: Callable[[], object]) -> Iterator[None]:
        """Wakes up with new text, at 25 Hz at the most, until the call that answers has ended.

        `checkpoint` runs on every wake-up, at least every 100 ms, so that its caller can be interrupted.
        """
        stream = self.answering
        if isinstance(stream, ReplyStream):
            for block in stream.blocks(checkpoint):
                for _ in block.follow(checkpoint):
                    yield
            yield  # citations may come after the last word

    @property
    def live(self) -> bool:
        """Whether something may still come."""
        if not self._asked.is_set():
            return not self._halted
        return isinstance(self.answering, ReplyStream) and self.answering.live

    @property
    def run(self) -> Run | None:
        """The run that answers, as it stands; that of the retrieval where nothing came after it."""
        return _run_of(self.answering) or _run_of(self.retrieving)

    @property
    def retrieval_run(self) -> Run | None:
        """The Retrieve run behind an answer of mode "converse"."""
        return _run_of(self.retrieving) if self.answering else None

    @property
    def problem(self) -> Problem | None:
        """What went wrong, if anything."""
        run = self.run
        return self.refusal or (run.problem if run else None)

    @property
    def ended_at(self) -> float | None:
        """When it ended, in Unix seconds."""
        if self._refused_at or self.run is None:
            return self._refused_at
        return self.run.started_at.timestamp() + self.run.latency_ms / 1000

    def answer(self) -> Answer:
        """The answer from what has arrived."""
        if self._answer:
            return self._answer
        live = self.live  # before the answer is read: what comes between is read the next time
        answer = self._read(live)
        if not live:
            self._answer = answer
        return answer

    def _read(self, live: bool) -> Answer:
        run = _run_of(self.answering)
        response = (run.response if run else None) or {}
        if self.settings.mode == "generate":
            return answer_of(response)
        found = response if self.settings.mode == "retrieve" else _response(_run_of(self.retrieving))
        results = found.get("retrievalResults") or []
        if run is None or self.settings.mode == "retrieve":
            action = str(found.get("guardrailAction") or "")
            return Answer(retrieved=results_of(results), guardrail_action=action)
        reply = replies.read(run.call.operation, dict(response))
        text = _OPEN_MARK.sub("", reply.text) if live else reply.text
        action = "INTERVENED" if reply.stop_reason == "guardrail_intervened" else ""
        return replace(answer_from_marks(text, results), guardrail_action=action)

    # The rest runs in the thread of the Retrieve call.

    def _answer_from(self, retrieval: Run, hub: StreamHub, tags: Mapping[str, str], attempt: int) -> None:
        try:
            results = (retrieval.response or {}).get("retrievalResults") or []
            if retrieval.state == "done" and results and not self._halted:
                call = replace(self._converse(retrieval, results, tags), attempt=attempt)
                self.answering = hub.start(self.key, call)
                self._stop_if_halted()
        except RefusedError as refused:
            self._refuse(refused.problem)
        except Exception as error:  # noqa: BLE001 (whatever it is, it belongs on the card, not in a lost thread)
            self._refuse(problems.from_exception(error, identity=retrieval.call.identity))
        finally:
            self._asked.set()

    def _stop_if_halted(self) -> None:
        """Also for a call that was being made while somebody pressed Stop."""
        for stream in (self.retrieving, self.answering):
            if self._halted and isinstance(stream, ReplyStream):
                stream.stop()

    def _converse(self, retrieval: Run, results: list[dict[str, Any]], tags: Mapping[str, str]) -> Call:
        passages = tuple(source.text for source in results_of(results))
        prompt = filled(
            self.settings.prompt_template.strip() or EXAMPLES["converse"], self.question, passages
        )
        identity = retrieval.call.identity
        settings = Settings(
            model_id=self.settings.model_id,
            parameters=self.settings.parameters,
            stop_sequences=self.settings.stop_sequences,
            guardrail=self.settings.guardrail,
        )
        call = converse_call(
            settings,
            models.resolve(identity, self.settings.model_id),
            (),
            [{"text": prompt}],
            identity=identity,
            user=retrieval.call.user,
            tags=tags,
        )
        return replace(call, parent_id=retrieval.id)

    def _refuse(self, problem: Problem) -> None:
        self.refusal, self._refused_at = problem, time.time()
        self._asked.set()


def refused(question: str, settings: RagSettings) -> Problem | None:
    """Why a question cannot be asked in this way, before any call is made."""
    if not settings.knowledge_base_id:
        return Problem(
            code="NoKnowledgeBase",
            title="There is no knowledge base to ask",
            cause="No knowledge base is chosen.",
            fix="Choose one at the top, or make one under Build, then press Retry.",
            action="retry",
        )
    if settings.mode != "retrieve" and not settings.model_id:
        return Problem(
            code="NoModel",
            title="There is no model to answer",
            cause="No model is chosen.",
            fix="Choose a model at the top, then press Retry.",
            action="retry",
        )
    return too_long(question, [settings])


def too_long(question: str, sides: Sequence[RagSettings]) -> Problem | None:
    """That one of the sides would refuse a question of this length, if so."""
    most = min(_MOST_QUESTION_CHARACTERS[settings.mode] for settings in sides)
    if len(question) <= most:
        return None
    longest = max(_MOST_QUESTION_CHARACTERS.values())
    other = f", or in another mode: the others take {longest:,} characters" if most < longest else ""
    return Problem(
        code="QuestionTooLong",
        title="The question is too long",
        cause=f"It has {len(question):,} characters; at most {most:,} are taken in this mode.",
        fix=f"Ask it in fewer words{other}.",
    )


def _run_of(source: ReplyStream | Run | None) -> Run | None:
    return source.run() if isinstance(source, ReplyStream) else source


def _response(run: Run | None) -> dict[str, Any]:
    return (run.response if run else None) or {}
