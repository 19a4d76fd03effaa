"""document_content."""

from __future__ import annotations

from localbedrock.knowledge.host import KnowledgeHandler

HANDLERS: dict[str, KnowledgeHandler] = {}
