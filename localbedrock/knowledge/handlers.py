"""All operations of knowledge bases.

In a module of its own: what guardrails use of this package must not bring the calls of models with it.
"""

from __future__ import annotations

from functools import partial

from localbedrock.context import Handler
from localbedrock.knowledge import (
    bases,
    data_sources,
    document_content,
    documents,
    generate,
    ingestion_jobs,
    rerank,
    retrieve,
)
from localbedrock.knowledge.host import Host

_MODULES = {
    "bedrock-agent": (bases, data_sources, ingestion_jobs, documents),
    "bedrock-agent-runtime": (retrieve, rerank, generate, document_content),
}


def handlers(host: Host) -> dict[tuple[str, str], Handler]:
    """The operations of knowledge bases, by service and operation."""
    return {
        (service, operation): partial(handler, host)
        for service, modules in _MODULES.items()
        for module in modules
        for operation, handler in module.HANDLERS.items()
    }
