"""Answers of knowledge bases in AWS's shapes, for tests."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def reference(text: str, uri: str, **metadata: Any) -> Json:
    """A retrieved reference out of S3."""
    return {
        "content": {"text": text, "type": "TEXT"},
        "location": {"type": "S3", "s3Location": {"uri": uri}},
        "metadata": metadata,
    }


def citation(text: str, start: int, end: int, *references: Json) -> Json:
    """A citation of a part of the answer."""
    part = {"text": text, "span": {"start": start, "end": end}}
    return {
        "generatedResponsePart": {"textResponsePart": part},
        "retrievedReferences": list(references),
    }


def response(text: str, *citations: Json) -> Json:
    """RetrieveAndGenerate's response."""
    return {"output": {"text": text}, "citations": list(citations), "sessionId": "s"}
