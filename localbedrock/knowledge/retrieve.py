"""Retrieve."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context
from localbedrock.errors import validation
from localbedrock.knowledge import guardrail_calls
from localbedrock.knowledge.host import Host, KnowledgeHandler
from localbedrock.knowledge.search import CHUNK_KEY, search
from localbedrock.wire.paging import page

_PAGE_CHARACTERS = 1_000_000
"""How much text one answer carries; chunks that are whole documents can be large."""


def retrieve(host: Host, ctx: Context, params: dict[str, Any]) -> dict[str, Any]:
    """The passages for a query, the best first; in pages only if their text is too much for one answer."""
    if "userContext" in params:
        raise validation(
            "The local endpoint keeps no access rights for documents: leave the userContext out."
        )
    query = params["retrievalQuery"]
    if query.get("type", "TEXT") != "TEXT" or "image" in query:
        raise validation("The local embedder reads text only: a knowledge base can't be asked with an image.")
    configuration = params.get("retrievalConfiguration", {})
    text = query.get("text", "")
    guard, text = guardrail_calls.begin(ctx, params.get("guardrailConfiguration"), text)
    if guard is not None and guard.blocks_input:
        return {"retrievalResults": []} | guardrail_calls.action(guard)
    found = search(host, ctx, params["knowledgeBaseId"], text, configuration)
    token = {name: params[name] for name in ("nextToken",) if name in params}
    pages, more = page(_pages(found), token | {"maxResults": 1}, _first_chunk)
    return {"retrievalResults": pages[0] if pages else []} | more | guardrail_calls.action(guard)


def _pages(results: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    pages: list[list[dict[str, Any]]] = []
    room = 0
    for result in results:
        room -= len(result["content"]["text"])
        if room < 0 or not pages:
            pages.append([])
            room = _PAGE_CHARACTERS - len(result["content"]["text"])
        pages[-1].append(result)
    return pages


def _first_chunk(results: list[dict[str, Any]]) -> str:
    return str(results[0]["metadata"][CHUNK_KEY])


HANDLERS: dict[str, KnowledgeHandler] = {"Retrieve": retrieve}
