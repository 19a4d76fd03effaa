"""Converse's content blocks as the parts of a message, refused where the model can't take them."""

from __future__ import annotations

import json
import re
from typing import Any

from localbedrock.catalogue import FoundationModel
from localbedrock.errors import AwsError, validation
from localbedrock.text.engine import Image, Part, Text, ToolCall, ToolResult

_TEXT_FORMATS = {"txt", "md", "csv", "html"}
_MAX_DOCUMENTS = 5
_DOCUMENT_NAME = re.compile(r"(?!.*  )[A-Za-z0-9 ()\[\]_-]{1,200}")
"""AWS lets underscores pass although its message does not name them."""


def parts(
    model: FoundationModel, message: dict[str, Any], path: str, documents: list[str]
) -> tuple[Part, ...]:
    """The parts of one message.

    ``path`` is where its content stands in the request; ``documents`` are the names of the documents
    before it in the conversation, and those of this message are added.
    """
    blocks = message["content"]
    if not blocks:
        raise validation(
            f"The content field in the Message object at {path.removesuffix('.content')} is empty."
        )
    if any("document" in block for block in blocks) and not any("text" in block for block in blocks):
        raise validation(
            "A text block must be included when using documents. Add a text block and retry your request."
        )
    found = (_part(model, block, f"{path}.{place}", documents) for place, block in enumerate(blocks))
    return tuple(part for part in found if part is not None)


def check_cache_point(model: FoundationModel) -> None:
    """Where AWS caches, a cache point is taken (and, as for any short prompt, nothing is cached)."""
    if "cache" not in model.features:
        raise validation("This model doesn't support the cachePoint field. Remove cachePoint and try again.")


def _part(model: FoundationModel, block: dict[str, Any], path: str, documents: list[str]) -> Part | None:
    match block:
        case {"text": text}:
            return _text(text, path)
        case {"image": image}:
            return _image(model, image)
        case {"document": document}:
            return _document(document, documents)
        case {"toolUse": call}:
            return ToolCall(call["toolUseId"], call["name"], call["input"])
        case {"toolResult": result}:
            return _tool_result(result, documents)
        case {"cachePoint": _}:
            check_cache_point(model)
            return None
        case {"reasoningContent": _}:
            return None  # the thoughts of an earlier turn; no model here needs them to go on
    return _quoted(block)


def _quoted(block: dict[str, Any]) -> Text:
    match block:
        case {"guardContent": {"text": {"text": text}}}:
            return Text(text)
        case {"searchResult": result}:
            return Text(_search_result(result))
        case {"citationsContent": cited}:
            return Text("".join(item.get("text", "") for item in cited.get("content", [])))
    raise unsupported(next(iter(block), "empty"))


def _text(text: str, path: str) -> Text:
    if not text.strip():
        raise validation(
            f"The text field in the ContentBlock object at {path} is blank. "
            "Add text to the text field, and try again."
        )
    return Text(text)


def unsupported(kind: str) -> AwsError:
    """AWS's refusal of a block that the model can't take."""
    return validation(
        f"This model doesn't support the {kind} content block that you provided. "
        "Update the content block and try again."
    )


def _image(model: FoundationModel, image: dict[str, Any]) -> Image:
    if "images" not in model.features:
        raise unsupported("image")
    return Image(image["format"], _bytes(image["source"]))


def _bytes(source: dict[str, Any]) -> bytes:
    if "bytes" not in source:
        raise validation("This model doesn't support the s3Uri field. Remove s3Uri and try again.")
    data: bytes = source["bytes"]
    return data


def _document(document: dict[str, Any], documents: list[str]) -> Text:
    """Plain text goes into the prompt under the document's name; other formats need a model for them."""
    name = document["name"]
    if not _DOCUMENT_NAME.fullmatch(name):
        raise validation(
            "The document file name can only contain alphanumeric characters, whitespace characters, "
            "hyphens, parentheses, and square brackets. The name can't contain more than one consecutive "
            "whitespace character. Check that the file name conforms to these restrictions and retry your "
            "request."
        )
    if name in documents:
        raise validation(f"Documents must have unique names: {name} is used more than once.")
    documents.append(name)
    if len(documents) > _MAX_DOCUMENTS:
        raise validation(f"A conversation can hold at most {_MAX_DOCUMENTS} documents.")
    return Text(f'<document name="{name}">\n{_document_text(document)}\n</document>')


def _document_text(document: dict[str, Any]) -> str:
    source = document["source"]
    if "text" in source:
        return str(source["text"])
    if "content" in source:
        return "\n".join(item["text"] for item in source["content"])
    if document.get("format", "txt") not in _TEXT_FORMATS:
        raise unsupported("document")
    try:
        return _bytes(source).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise validation(f"The document {document['name']} is not UTF-8 text.") from None


def _tool_result(result: dict[str, Any], documents: list[str]) -> ToolResult:
    texts = []
    for item in result["content"]:
        (kind, value), *_ = item.items()
        if kind == "text":
            texts.append(value)
        elif kind == "json":
            texts.append(json.dumps(value, ensure_ascii=False))
        elif kind == "document":
            texts.append(_document(value, documents).text)
        elif kind == "searchResult":
            texts.append(_search_result(value))
        else:
            raise unsupported(kind)
    return ToolResult(result["toolUseId"], "\n".join(texts), failed=result.get("status") == "error")


def _search_result(result: dict[str, Any]) -> str:
    text = "\n".join(item["text"] for item in result["content"])

    head = f'<search_result title="{result["title"]}" source="{result["source"]}">'
    return f"{head}\n{text}\n</search_result>"
