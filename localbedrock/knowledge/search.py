"""The search behind Retrieve and RetrieveAndGenerate: embed, find, filter, rerank."""

from __future__ import annotations

from typing import Any

from localbedrock.context import Context
from localbedrock.knowledge.host import Host


def search(
    host: Host, ctx: Context, knowledge_base_id: str, query: str, configuration: dict[str, Any]
) -> list[dict[str, Any]]:
    """The passages for a query, each in the shape of AWS's KnowledgeBaseRetrievalResult, the best first.

    ``knowledge_base_id`` is an id or an ARN; ``configuration`` is KnowledgeBaseRetrievalConfiguration or {}.
    AwsError for an unknown knowledge base, a filter that is malformed, a reranking model that is none.
    """
    raise NotImplementedError
