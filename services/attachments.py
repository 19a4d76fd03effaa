"""Files beside a prompt: checked, named as AWS wants it, and turned into Converse content blocks.

The limits are those of the service model (`Message.content`: five documents of 4.5 MB, twenty images of
3.75 MB and 8,000 pixels a side) and of its request (`InvokeModel.body`: 25,000,000 bytes, files in base64).
AWS lifts the size of a document for PDF in Claude 4 and later, and for PDF and DOCX in Nova
(https://docs.aws.amazon.com/bedrock/latest/userguide/inference-api-restrictions.html).
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from services.file_formats import Kind, NotTakenError, recognise, suffix_of
from services.models import Model
from services.problems import Problem

JsonDict = dict[str, Any]

MOST_DOCUMENTS = 5
MOST_IMAGES = 20
MOST_IMAGE_BYTES = 3_750_000
MOST_IMAGE_PIXELS = 8000
MOST_DOCUMENT_BYTES = 4_500_000
MOST_REQUEST_BYTES = 25_000_000
_LONGEST_NAME = 200
_SHOWN_NAME = 80
_NO_SIZE_LIMIT = (
    (re.compile(r"anthropic\.claude-(?!3|v2|instant)"), {"pdf"}),
    (re.compile(r"amazon\.nova-"), {"pdf", "docx"}),
)
_MODALITIES: dict[str, tuple[set[str], str]] = {
    "image": ({"IMAGE"}, "images"),
    "document": ({"DOCUMENT"}, "documents"),
    "video": ({"VIDEO"}, "videos"),
    "audio": ({"AUDIO", "SPEECH"}, "audio"),
}
_AS_TEXT = {"txt", "md", "csv", "html"}
_ALIKE = {"jpg": "jpeg", "htm": "html", "markdown": "md", "3gp": "three_gp", "mpg": "mpeg"}
_WHAT = {"image": "image", "document": "document", "video": "video", "audio": "audio file"}


@dataclass(frozen=True)
class Attachment:
    """One file that can be sent. `name` is the one it came with, fit to be shown; `format` is Converse's."""

    name: str
    kind: Kind
    format: str
    data: bytes

    @property
    def label(self) -> str:
        """The name, and what it is sent as where the name says something else."""
        suffix = suffix_of(self.name)
        if not suffix or _ALIKE.get(suffix, suffix) == _ALIKE.get(self.format, self.format):
            return self.name
        return f"{self.name} (sent as {self.format.upper().replace('_', ' ')})"


def read(name: str, data: bytes) -> Attachment | Problem:
    """The file as it can be sent, or why no model takes it. Never raises."""
    name = shown_name(name)
    if not data:
        return _bad_file(name, "It is empty.", "Attach it again once it has content.")
    try:
        kind, found_format = recognise(name, data)
    except NotTakenError as error:
        fix = "Convert it to PDF, Word, Excel, text, or a PNG or JPEG image, and attach that."
        return _bad_file(name, f"It is {error}, which Converse has no format for.", fix)
    return _too_big(name, kind, data) or Attachment(name, kind, found_format, data)


def blocks(
    text: str, files: Sequence[Attachment], taken: Iterable[str] = ()
) -> tuple[list[JsonDict], tuple[str, ...]]:
    """The prompt as Converse content blocks, and the label of each file in their order.

    Files come first, as models are trained to read them; blank text is left out, because Converse refuses
    it. `taken` are the document names of the conversation, which must not come again.
    """
    names = set(taken)
    content: list[JsonDict] = []
    for file in files:
        block: JsonDict = {"format": file.format, "source": {"bytes": file.data}}
        if file.kind == "document":
            block["name"] = document_name(file.name, names)
            names.add(block["name"])
        content.append({file.kind: block})
    if text.strip():
        content.append({"text": text})
    return content, tuple(file.label for file in files)


def prompt_problem(text: str, files: Sequence[Attachment]) -> Problem | None:
    """Why no model would take this prompt with these files; None where one may."""
    documents = sum(file.kind == "document" for file in files)
    images = sum(file.kind == "image" for file in files)
    if documents > MOST_DOCUMENTS:
        return _too_many("documents", documents, MOST_DOCUMENTS)
    if images > MOST_IMAGES:
        return _too_many("images", images, MOST_IMAGES)
    if documents and not text.strip():
        return Problem(
            code="DocumentWithoutText",
            title="A document needs words beside it",
            cause="Converse takes documents only together with text, and the prompt has none.",
            fix="Say what is to be done with the document, for example “Summarise this.”",
        )
    if _encoded(sum(len(file.data) for file in files)) > MOST_REQUEST_BYTES:
        return _request_too_big("Attach fewer or smaller files.")
    return None


def refused(prompt: Sequence[JsonDict], messages: Sequence[JsonDict], model: Model) -> Problem | None:
    """Why the model would refuse the files of the prompt or of the messages before it; None if it may not.

    What is not known about a model never blocks.
    """
    if problem := _modality_problem(prompt, messages, model) or _size_problem(prompt, model):
        return problem
    everything = [*(block for message in messages for block in message["content"]), *prompt]
    for kind, most in (("document", MOST_DOCUMENTS), ("image", MOST_IMAGES)):
        count = sum(kind in block for block in everything)
        if count > most:
            return _too_many(_MODALITIES[kind][1], count, most, "this chat", action="shorten")
    if _encoded(sum(_size(block) for block in everything)) > MOST_REQUEST_BYTES:
        return _request_too_big("Start a new chat, or attach smaller files.", action="shorten")
    return None


def document_names(content: Iterable[JsonDict]) -> list[str]:
    """The names of the documents among content blocks."""
    return [block["document"]["name"] for block in content if "name" in (block.get("document") or {})]


def document_name(name: str, taken: Iterable[str]) -> str:
    """A name that AWS takes: letters, digits, single spaces, hyphens, parentheses, brackets; not yet taken.

    >>> document_name('Q3 "résumé" 😀.final.pdf', {"Q3 resume final"})
    'Q3 resume final (2)'
    """
    stem = name.rpartition(".")[0] or name
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    clean = " ".join(re.sub(r"[^A-Za-z0-9()\[\]-]+", " ", plain).split()) or "Document"
    taken, number, unique = set(taken), 1, clean[:_LONGEST_NAME].strip()
    while unique in taken:
        number += 1
        ending = f" ({number})"
        unique = clean[: _LONGEST_NAME - len(ending)].strip() + ending
    return unique


def shown_name(name: str) -> str:
    """A file name fit for the screen: no control characters, and not longer than a line.

    Browsers write a quote and line breaks as `%22`, `%0D` and `%0A` in the name of an upload.
    """
    name = name.replace("%22", '"').replace("%0D", " ").replace("%0A", " ")
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name).strip() or "file"
    if len(clean) <= _SHOWN_NAME:
        return clean
    suffix = suffix_of(clean)[:10]
    return f"{clean[: _SHOWN_NAME - len(suffix) - 2]}….{suffix}".removesuffix(".")


def kind_of(block: JsonDict) -> Kind | None:
    """Which kind of file a content block holds; None for other blocks."""
    for kind in ("image", "document", "video", "audio"):
        if kind in block:
            return kind
    return None


def _modality_problem(
    prompt: Sequence[JsonDict], messages: Sequence[JsonDict], model: Model
) -> Problem | None:
    known = model.capabilities.input_modalities
    if not known:
        return None
    earlier = [block for message in messages if message["role"] == "user" for block in message["content"]]
    for blocks, where, action in ((prompt, "", "retry"), (earlier, " of an earlier turn", "shorten")):
        for block in blocks:
            kind = kind_of(block)
            if kind and not known & _MODALITIES[kind][0] and not _may_work_all_the_same(block, model):
                what, takes = _MODALITIES[kind][1], ", ".join(sorted(known)).lower()
                fix = f"Choose a model that takes {what} at the top of the pane, then press Retry."
                if action == "shorten":
                    fix = f"Start a new chat, or choose a model that takes {what}."
                return Problem(
                    code="ModalityNotSupported",
                    title=f"{model.name} takes no {what}",
                    cause=f"It takes {takes} alone; the {_WHAT[kind]}{where} was not sent.",
                    fix=fix,
                    action="shorten" if action == "shorten" else "retry",
                )
    return None


def _may_work_all_the_same(block: JsonDict, model: Model) -> bool:
    """The model lists of AWS know no documents: of a model that is not known otherwise, nothing follows.

    Documents that are text work on the local endpoint with every chat model.
    """
    document = block.get("document") or {}
    return bool(document) and (model.capabilities.family == "unknown" or document.get("format") in _AS_TEXT)


def _size_problem(prompt: Sequence[JsonDict], model: Model) -> Problem | None:
    for block in prompt:
        document = block.get("document") or {}
        size = len((document.get("source") or {}).get("bytes") or b"")
        if size <= MOST_DOCUMENT_BYTES:
            continue
        if any(
            pattern.match(model.base_model_id) and document.get("format") in formats
            for pattern, formats in _NO_SIZE_LIMIT
        ):
            continue
        return Problem(
            code="DocumentTooLarge",
            title=f"{document['name']} is too large for {model.name}",
            cause=f"It has {_megabytes(size)}; a document may have {_megabytes(MOST_DOCUMENT_BYTES)}.",
            fix="Split the document or leave pages out, and attach it again.",
        )
    return None


def _too_big(name: str, kind: Kind, data: bytes) -> Problem | None:
    if kind == "image":
        return _bad_image(name, data)
    if _encoded(len(data)) > MOST_REQUEST_BYTES:
        most = _megabytes(MOST_REQUEST_BYTES * 3 // 4)
        cause = f"It has {_megabytes(len(data))}; a whole request may carry {most} of files."
        return _bad_file(name, cause, "Split or shorten it, and attach the part that matters.")
    return None


def _bad_image(name: str, data: bytes) -> Problem | None:
    if len(data) > MOST_IMAGE_BYTES:
        cause = f"It has {_megabytes(len(data))}; an image may have {_megabytes(MOST_IMAGE_BYTES)}."
        return _bad_file(name, cause, "Save it smaller, or as JPEG, and attach it again.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning of a huge picture: only its head is read here
            width, height = Image.open(io.BytesIO(data)).size
    except Exception:  # noqa: BLE001 (Pillow raises whatever its decoders do on damaged files)
        return _bad_file(name, "The image is damaged or incomplete.", "Save it anew, and attach it again.")
    if max(width, height) > MOST_IMAGE_PIXELS:
        cause = f"It is {width:,} x {height:,} pixels; a side may have {MOST_IMAGE_PIXELS:,}."
        return _bad_file(name, cause, "Scale it down, and attach it again.")
    return None


def _size(block: JsonDict) -> int:
    kind = kind_of(block)
    return len((block[kind].get("source") or {}).get("bytes") or b"") if kind else 0


def _encoded(size: int) -> int:
    return -(-size // 3) * 4


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.2f}".rstrip("0").rstrip(".") + " MB"


def _bad_file(name: str, cause: str, fix: str) -> Problem:
    return Problem(code="FileNotSendable", title=f"{name} cannot be sent", cause=cause, fix=fix)


def _too_many(what: str, count: int, most: int, where: str = "the prompt", **more: Any) -> Problem:
    return Problem(
        code="TooManyFiles",
        title=f"Too many {what}",
        cause=f"A request takes at most {most} {what}, and {where} has {count}.",
        fix="Start a new chat, or attach fewer." if more else f"Leave {count - most} of them out.",
        **more,
    )


def _request_too_big(fix: str, **more: Any) -> Problem:
    most = _megabytes(MOST_REQUEST_BYTES * 3 // 4)
    return Problem(
        code="RequestTooLarge",
        title="The files are too large for one request",
        cause=f"A request may carry {most} of files in all.",
        fix=fix,
        **more,
    )
