"""RetrieveAndGenerate and RetrieveAndGenerateStream: passages, an answer from them, and what it rests on."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.guardrails.guarded import Guard
from localbedrock.knowledge import (
    external_sources,
    guardrail_calls,
    questions,
    rag_prompt,
    rag_sessions,
    search,
)
from localbedrock.knowledge.attribution import Attribution
from localbedrock.knowledge.cited_answer import CitedAnswer, citation, citation_event
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.knowledge.rag_model import Answering, Model, model_of
from localbedrock.runtime.engines import cut_off

NOTHING_FOUND = "Sorry, I am unable to assist you with this request."
"""AWS's answer where nothing was retrieved; no model is asked."""

_CONFIGURATIONS = {
    "KNOWLEDGE_BASE": "knowledgeBaseConfiguration",
    "EXTERNAL_SOURCES": "externalSourcesConfiguration",
}


@dataclass(frozen=True)
class _Exchange:
    """One question and the answer that is being made of these passages; without ``answering``: of none."""

    ctx: Context
    session_id: str
    question: str
    results: Sequence[dict[str, Any]]
    answering: Answering | None
    cited: CitedAnswer
    guard: Guard | None = None

    def pieces(self) -> Generator[str, None, None]:
        """The answer's text. A complete one is kept in the session."""
        if self.guard is not None and self.guard.blocks_input:
            yield self.guard.guardrail["blockedInputMessaging"]
            return
        if self.answering is not None:
            with closing(self.answering.pieces()) as pieces:
                yield from pieces
            if not self.answering.finished:
                return
        if not self.cited.text.strip():
            yield NOTHING_FOUND
        rag_sessions.add(self.ctx, self.session_id, self.question, self.cited.text)


def retrieve_and_generate(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The whole answer at once."""
    exchange = _begin(host, ctx, "Converse", params)
    parts = list(chain.from_iterable(map(exchange.cited.feed, exchange.pieces())))
    if exchange.answering is not None and not exchange.answering.finished:
        raise cut_off()
    parts += exchange.cited.flush()
    answer = {
        "sessionId": exchange.session_id,
        "output": {"text": exchange.cited.text},
        "citations": [citation(part, exchange.results, inclusive=True) for part in parts],
    }
    return answer | guardrail_calls.action(exchange.guard)


def retrieve_and_generate_stream(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The answer as it is decoded; a citation follows its part."""
    exchange = _begin(host, ctx, "ConverseStream", params)
    return {"sessionId": exchange.session_id, "stream": _stream(exchange)}


def _stream(exchange: _Exchange) -> Iterator[dict[str, Any]]:
    cited, results = exchange.cited, exchange.results
    with closing(exchange.pieces()) as pieces:
        for piece in pieces:
            yield {"output": {"text": piece}}
            yield from (citation_event(part, results) for part in cited.feed(piece))
    yield from (citation_event(part, results) for part in cited.flush())
    if exchange.guard is not None:
        yield guardrail_calls.event(exchange.guard)


def _begin(host: Host, ctx: Context, operation: str, params: dict[str, Any]) -> _Exchange:
    kind, configuration = _configuration(params["retrieveAndGenerateConfiguration"])
    model = model_of(ctx, configuration["modelArn"], configuration.get("generationConfiguration", {}))
    orchestration = configuration.get("orchestrationConfiguration", {})
    if template := orchestration.get("promptTemplate", {}).get("textPromptTemplate"):
        rag_prompt.check_orchestration_template(template)
    question = params["input"]["text"]
    if not question.strip():
        raise validation("The input text is empty. Ask a question, and retry your request.")
    target = external_sources.TARGET if kind == "EXTERNAL_SOURCES" else configuration["knowledgeBaseId"]
    session = rag_sessions.find(ctx, target, params["sessionId"]) if "sessionId" in params else None
    turns = rag_sessions.turns(session) if session else []
    guard, question = guardrail_calls.begin(
        ctx, configuration.get("generationConfiguration", {}).get("guardrailConfiguration"), question
    )
    if guard is not None and guard.blocks_input:
        session = session or rag_sessions.new(ctx, target, params.get("sessionConfiguration", {}))
        return _exchange(ctx, operation, model, session, question, [], guard)
    asked = _queries(question, [earlier for earlier, _ in turns], orchestration)
    if kind == "EXTERNAL_SOURCES":
        results = external_sources.search(host, ctx, configuration["sources"][0], asked[0])
    else:
        results = _retrieved(host, ctx, configuration, asked)
    if session is None:
        session = rag_sessions.new(ctx, target, params.get("sessionConfiguration", {}))
    return _exchange(ctx, operation, model, session, question, results, guard)


def _exchange(
    ctx: Context,
    operation: str,
    model: Model,
    session: dict[str, Any],
    question: str,
    results: list[dict[str, Any]],
    guard: Guard | None,
) -> _Exchange:
    answering, shown = None, 0
    if results:
        turns = rag_sessions.turns(session)
        answering, shown = model.ask(operation, [_text(each) for each in results], turns, question, guard)
    results = results[:shown]
    attribution = Attribution([_text(each) for each in results], ctx.models.embedder)
    return _Exchange(ctx, session["id"], question, results, answering, CitedAnswer(attribution), guard)


def _configuration(given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    kind = given["type"]
    name = _CONFIGURATIONS[kind]
    if name not in given:
        raise validation(f"The type {kind} needs {name}. Add it, and retry your request.")
    return kind, given[name]


def _queries(question: str, earlier: list[str], orchestration: dict[str, Any]) -> list[str]:
    """What is searched for: the question, or its parts, understood with the conversation."""
    wanted = orchestration.get("queryTransformationConfiguration", {}).get("type")
    first, *others = questions.parts(question) if wanted == "QUERY_DECOMPOSITION" else [question]
    return [questions.standalone(first, earlier), *others]


def _retrieved(
    host: Host, ctx: Context, configuration: dict[str, Any], queries: list[str]
) -> list[dict[str, Any]]:
    """The passages for all queries, each once; the best of every query first. Those of a query whose passages
    are all below the floor of relevance are none.
    """
    found = []
    for query in queries:
        knowledge_base_id = configuration["knowledgeBaseId"]
        settings = configuration.get("retrievalConfiguration", {})
        results = search.search(host, ctx, knowledge_base_id, query, settings)
        if Attribution([_text(each) for each in results], ctx.models.embedder).is_relevant(query):
            found.append(results)
    joined = (each for rank in zip_longest(*found) for each in rank if each is not None)
    return list({json.dumps([each["content"], each.get("location")]): each for each in joined}.values())


def _text(result: dict[str, Any]) -> str:
    return str(result["content"].get("text", ""))


HANDLERS: dict[str, KnowledgeHandler] = {
    "RetrieveAndGenerate": retrieve_and_generate,
    "RetrieveAndGenerateStream": retrieve_and_generate_stream,
}
