"""Knowledge bases: documents in, chunks in a vector index, passages and cited answers out.

A handler here is a plain function ``(host, ctx, params)``: the host is what knowledge bases share beyond the
context of one request.
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


__all__ = ["Host", "handlers"]
