"""Files on their way into a knowledge base: what is taken, under which name, and why the rest is not.

The limits are those of "Prerequisites for your Amazon Bedrock knowledge base data" in AWS's user guide.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

FORMATS = ("txt", "md", "html", "htm", "pdf", "doc", "docx", "csv", "xls", "xlsx")
SIDECAR = ".metadata.json"
MOST_BYTES = 50 * 1024 * 1024
MOST_SIDECAR_BYTES = 10 * 1024
SAMPLES = Path(__file__).parent.parent / "localbedrock" / "samples" / "documents"
"""The sample documents, read as files like any other's."""

_LONGEST_NAME = 80
"""A document's URI has at most 128 characters after `s3://`, bucket included."""
_NOT_IN_NAMES = re.compile(r"[^\w.()-]+")


@dataclass(frozen=True)
class DocumentFile:
    """One file. `name` is fit to be the end of an S3 key, once `checked` has seen it."""

    name: str
    data: bytes

    @property
    def is_sidecar(self) -> bool:
        """Whether it holds another file's metadata."""
        return self.name.lower().endswith(SIDECAR)


@dataclass(frozen=True)
class Checked:
    """The files that can be uploaded, and a sentence for each that cannot. Names are those they came with."""

    files: tuple[DocumentFile, ...]
    faults: tuple[str, ...]

    @property
    def documents(self) -> int:
        """How many of the files are documents, not metadata."""
        return sum(not file.is_sidecar for file in self.files)


def sidecar_of(key: str) -> str:
    """The key of the file with a document's metadata."""
    return key + SIDECAR


def key_name(name: str) -> str:
    """A file name as the last part of an S3 key: no folders, blanks or signs that URLs give a meaning to.

    >>> key_name("../Size & weight.pdf")
    'Size-weight.pdf'
    """
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    clean = _NOT_IN_NAMES.sub("-", last).strip("-.") or "document"
    plain = clean.removesuffix(SIDECAR)
    stem, dot, suffix = plain.rpartition(".")
    if len(plain) <= _LONGEST_NAME or not stem:
        return clean[: _LONGEST_NAME + len(SIDECAR)]
    return stem[: _LONGEST_NAME - len(suffix) - 1] + dot + suffix + clean[len(plain) :]


def checked(files: Iterable[DocumentFile]) -> Checked:
    """Judge files before anything is uploaded. The first of two with the same name is taken."""
    taken: dict[str, DocumentFile] = {}
    faults: list[str] = []
    for file in files:
        name = key_name(file.name)
        if name.lower() in taken:
            faults.append(f"{file.name}: there is a file of this name already; only the first is taken.")
        elif fault := _fault(replace(file, name=name)):
            faults.append(f"{file.name}: {fault}")
        else:
            taken[name.lower()] = replace(file, name=name)
    for key, file in list(taken.items()):
        if file.is_sidecar and key.removesuffix(SIDECAR) not in taken:
            faults.append(f"{file.name}: its document is not among the files, so this metadata says nothing.")
            del taken[key]
    return Checked(tuple(taken.values()), tuple(faults))


def samples() -> tuple[DocumentFile, ...]:
    """The sample documents with their metadata; () where this installation has none."""
    if not has_samples():
        return ()
    found = sorted(path for path in SAMPLES.iterdir() if path.is_file())
    return tuple(DocumentFile(path.name, path.read_bytes()) for path in found)


def has_samples() -> bool:
    """Whether there are sample documents."""
    return SAMPLES.is_dir()


def _fault(file: DocumentFile) -> str:
    """What is wrong with a file, as a sentence; "" where nothing is."""
    if file.is_sidecar:
        return _sidecar_fault(file.data)
    suffix = file.name.rpartition(".")[2].lower() if "." in file.name else ""
    if suffix not in FORMATS:
        return f"knowledge bases do not read this format. They read {', '.join(FORMATS)}."
    if not file.data:
        return "the file is empty."
    if len(file.data) > MOST_BYTES:
        return f"the file has {len(file.data) / 1024**2:.0f} MB, and {MOST_BYTES // 1024**2} MB is the most."
    return ""


def _sidecar_fault(data: bytes) -> str:
    if len(data) > MOST_SIDECAR_BYTES:
        return f"metadata may have {MOST_SIDECAR_BYTES // 1024} KB at most."
    try:
        content = json.loads(data)
    except ValueError:  # not JSON, or not UTF-8
        return "this metadata is not JSON."
    if not isinstance(content, dict) or not isinstance(content.get("metadataAttributes"), dict):
        return "metadata must be a JSON object with the member metadataAttributes."
    return ""
