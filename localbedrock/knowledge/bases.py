"""bases."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context
from localbedrock.errors import not_found
from localbedrock.knowledge.host import KnowledgeHandler

HANDLERS: dict[str, KnowledgeHandler] = {}


def find(ctx: Context, id_or_arn: str) -> dict[str, Any]:
    """A knowledge base as it is stored, by id or ARN; ResourceNotFoundException if there is none."""
    knowledge_base_id = id_or_arn.rpartition("/")[2]
    found = ctx.store.get("knowledge-base", knowledge_base_id)
    if found is None:
        raise not_found(f"Knowledge Base with id {knowledge_base_id} does not exist.")
    return found
