"""What knowledge bases share beyond one request: indexes, documents, S3, and the queue of ingestion jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localbedrock.context import Context
from localbedrock.keys import KeyPair
from localbedrock.knowledge.document_states import DocumentStates
from localbedrock.knowledge.index import Indexes
from localbedrock.s3 import S3, Deliver, Presigner


@dataclass
class Host:
    """Made once per process. Handlers run in worker threads: all of it may be used from any thread."""

    indexes: Indexes
    deliver: Deliver
    wake: Callable[[], None] = field(default=lambda: None)
    """Tells the ingestion runner that a job was made or is to be stopped."""
    documents: DocumentStates = field(default_factory=lambda: DocumentStates(":memory:"))
    """The state of every document."""
    presigned: Presigner = field(default=Presigner("http://127.0.0.1", KeyPair("", "")))
    """Makes URLs of objects; the default ones are good nowhere."""

    def s3(self, region: str) -> S3:
        """The objects of a region."""
        return S3(self.deliver, region)


KnowledgeHandler = Callable[[Host, Context, dict[str, Any]], dict[str, Any]]


def make_host(data_dir: Path, deliver: Deliver, presigner: Presigner) -> Host:
    """The host whose indexes are kept in ``data_dir/knowledge``."""
    folder = data_dir / "knowledge"
    return Host(
        Indexes(folder), deliver, presigned=presigner, documents=DocumentStates(folder / "documents.db")
    )
