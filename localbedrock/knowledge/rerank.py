"""Rerank: documents in the order of their relevance to a query."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from localbedrock.catalogue import resolve
from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.reranking import Reranker
from localbedrock.wire.paging import page

_MOST_TOKENS = "max_tokens_per_doc"


def rerank(_host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The places of the sources with their scores, the most relevant first; not the sources themselves."""
    settings = params["rerankingConfiguration"]["bedrockRerankingConfiguration"]
    texts = [_text(source["inlineDocumentSource"]) for source in params["sources"]]
    query = params["queries"][0]["textQuery"]["text"]
    order = reranked(ctx, settings["modelConfiguration"], query, texts)
    results = [{"index": place, "relevanceScore": score} for place, score in order]
    wanted = results[: settings.get("numberOfResults", len(results))]
    given, more = page(wanted, params, lambda result: str(result["index"]), default=len(wanted))
    return {"results": given} | more


def reranked(
    ctx: Context, model_configuration: dict[str, Any], query: str, texts: Sequence[str]
) -> list[tuple[int, float]]:
    """The places of the texts with their scores from 0 to 1, the best first.

    ``model_configuration`` has ``modelArn`` and ``additionalModelRequestFields``, of which there is one:
    ``max_tokens_per_doc``. AwsError for a model that is no reranker, and for other fields.
    """
    model = resolve(ctx, model_configuration["modelArn"])
    if model.backend != "reranker":
        raise validation(f"The model {model.model_id} is no reranking model: Rerank needs one.")
    most = _most_tokens(model_configuration.get("additionalModelRequestFields", {}))
    embedder = ctx.models.embedder
    read = [text if most is None else embedder.truncate(text, most) for text in texts]
    scores = Reranker(embedder).scores(query, read)
    order = sorted(range(len(scores)), key=lambda place: -scores[place])
    return [(place, scores[place]) for place in order]


def _most_tokens(fields: dict[str, Any]) -> int | None:
    if unknown := ", ".join(sorted(set(fields) - {_MOST_TOKENS})):
        raise validation(
            f"The reranking model takes {_MOST_TOKENS} as an additional field, and not {unknown}."
        )
    most = fields.get(_MOST_TOKENS)
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise validation(f"{_MOST_TOKENS} must be a whole number from 1.")
    return most


def _text(source: dict[str, Any]) -> str:
    kind = source["type"]
    if kind == "TEXT" and "textDocument" in source:
        return str(source["textDocument"].get("text", ""))
    if kind == "JSON" and "jsonDocument" in source:
        return "\n".join(_lines(source["jsonDocument"]))
    raise validation(f"A source of the type {kind} needs a {kind.lower()}Document.")


def _lines(document: Any, name: str = "") -> list[str]:
    """A line for each value, with its name: what is read of ``{"a": {"b": 1}}`` is ``a b: 1``."""
    if isinstance(document, dict):
        return [line for key, value in document.items() for line in _lines(value, f"{name} {key}".strip())]
    if isinstance(document, list):
        return [line for value in document for line in _lines(value, name)]
    value = document if isinstance(document, str) else json.dumps(document)
    return [f"{name}: {value}" if name else value]


HANDLERS: dict[str, KnowledgeHandler] = {"Rerank": rerank}
