"""What a person sent: words, and the files beside them as thumbnails and chips."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from PIL import Image

from components.reply import draw_reply
from components.safe_markdown import plain
from services.attachments import Attachment, kind_of
from services.conversations import Turn

_LONGEST_SHOWN = 20_000  # characters: a browser takes seconds to lay out a megabyte of Markdown
_THUMBNAIL = (160, 96)
_MOST_THUMBNAILS = 256
_ICONS = {
    "image": ":material/image:",
    "document": ":material/description:",
    "video": ":material/movie:",
    "audio": ":material/audio_file:",
}
_thumbnails: OrderedDict[tuple[int, int], bytes | None] = OrderedDict()


def draw_prompt(turn: Turn, tool_names: Mapping[str, str]) -> None:
    """Draw the prompt of a turn: its files under the names they came with, then its words.

    `tool_names` as in `draw_reply`.
    """
    files = [block for block in turn.prompt if kind_of(block)]
    labels = [*turn.file_labels, *(_name_in(block) for block in files[len(turn.file_labels) :])]
    if files:
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            for block, label in zip(files, labels, strict=False):
                _draw_file(block, label)
    draw_reply([_shortened(block) for block in turn.prompt if not kind_of(block)], tool_names)


def draw_chips(files: Sequence[Attachment]) -> None:
    """Draw files that are not sent yet, by name."""
    st.markdown(" ".join(_chip(file.kind, file.label) for file in files))


def _draw_file(block: dict[str, Any], label: str) -> None:
    kind = kind_of(block) or "document"
    data = (block[kind].get("source") or {}).get("bytes")
    if kind == "image" and data and (thumbnail := _thumbnail(data)):
        st.image(thumbnail, alt=label, caption=plain(label))
    else:
        st.markdown(_chip(kind, label))


def _chip(kind: str, label: str) -> str:
    return f":gray-badge[{_ICONS[kind]} {plain(label)}]"


def _name_in(block: dict[str, Any]) -> str:
    kind = kind_of(block) or "document"
    return str(block[kind].get("name") or kind)


def _shortened(block: dict[str, Any]) -> dict[str, Any]:
    text = block.get("text")
    if not isinstance(text, str) or len(text) <= _LONGEST_SHOWN:
        return block
    rest = f"{len(text) - _LONGEST_SHOWN:,} more characters were sent; the details show them all."
    return {"text": f"{text[:_LONGEST_SHOWN]}…\n\n{rest}"}


def _thumbnail(data: bytes) -> bytes | None:
    """A small PNG of a picture, made once; None where it cannot be read.

    Keyed by Python's own hash, which a bytes object keeps: six panes show the same picture at every run.
    """
    key = (hash(data), len(data))
    if key not in _thumbnails:
        _thumbnails[key] = _made_small(data)
        while len(_thumbnails) > _MOST_THUMBNAILS:
            _thumbnails.popitem(last=False)
    return _thumbnails[key]


def _made_small(data: bytes) -> bytes | None:
    try:
        picture = Image.open(io.BytesIO(data))
        picture.draft("RGB", _THUMBNAIL)
        picture.thumbnail(_THUMBNAIL)
        out = io.BytesIO()
        picture.convert("RGBA").save(out, "PNG")
    except Exception:  # noqa: BLE001 (Pillow raises whatever its decoders do on damaged files)
        return None
    return out.getvalue()
