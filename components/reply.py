"""A reply: its blocks while they stream, and the same blocks when it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from components.safe_markdown import escape_stream, plain, safe_markdown
from services.streaming import Block, ReplyStream
from services.tools import unparsed_input

JsonDict = dict[str, Any]

_PREVIEW = 60


def stream_reply(stream: ReplyStream) -> None:
    """Draw the reply while it arrives; returns when it has ended or was stopped.

    Every wake-up touches the session's state, which is where Streamlit can interrupt this run for a click.
    """
    waiting = st.empty()
    waiting.markdown(":shimmer[Waiting for the first token]")
    for block in stream.blocks(_checkpoint):
        if block.index == 0:
            waiting.empty()
        _stream_block(block)
    waiting.empty()


def draw_reply(content: list[JsonDict], tool_names: Mapping[str, str] | None = None) -> None:
    """Draw the content blocks of a message that is whole (Converse `message.content`), in their order.

    `tool_names` names the tools that results belong to, by `toolUseId`; this message's own calls are known.
    """
    calls = [block["toolUse"] for block in content if "toolUse" in block]
    names = {call.get("toolUseId"): str(call.get("name", "?")) for call in calls} | dict(tool_names or {})
    for block in content:
        for kind, value in block.items():
            if kind == "toolResult":
                _draw_tool_result(value, names.get(value.get("toolUseId"), "a tool"))
                continue
            _DRAW.get(kind, _draw_unknown)({kind: value} if kind not in _DRAW else value)


def _checkpoint() -> None:
    _ = "playground" in st.session_state


def _stream_block(block: Block) -> None:
    chunks = block.follow(_checkpoint)
    if block.kind == "text":
        st.write_stream(escape_stream(chunks))
    elif block.kind == "reasoning":
        with st.expander("Reasoning", icon=":material/psychology:", type="compact"):
            st.write_stream(escape_stream(chunks))
    elif block.kind == "tool":
        with _tool_call(block.start.get("toolUse") or {}):
            place = st.empty()
            text = ""
            for chunk in chunks:
                text += chunk
                place.code(text, language="json", wrap_lines=True)
    else:
        for _ in chunks:
            pass


def _draw_text(text: str) -> None:
    if text.strip():
        safe_markdown(text)


def _draw_reasoning(reasoning: JsonDict) -> None:
    text = (reasoning.get("reasoningText") or {}).get("text", "")
    with st.expander("Reasoning", icon=":material/psychology:", type="compact"):
        if text:
            safe_markdown(text)
        else:
            st.caption(
                "The provider sent this reasoning encrypted. It goes back with the next turn as it came."
            )


def _draw_tool_use(tool: JsonDict) -> None:
    unparsed = unparsed_input(tool)
    with _tool_call(tool):
        if unparsed is None:
            st.code(_pretty(tool.get("input")), language="json", wrap_lines=True)
            return
        st.warning("The input is not JSON: it was cut off, or the model made a mistake.")
        st.code(unparsed, language=None, wrap_lines=True)


def _tool_call(tool: JsonDict) -> DeltaGenerator:
    label = f"Tool call: {plain(str(tool.get('name', '?')))}"
    return st.expander(label, icon=":material/build:", type="compact", expanded=True)


def _draw_tool_result(result: JsonDict, tool_name: str) -> None:
    parts = [
        part.get("text") if "text" in part else _pretty(part.get("json", part))
        for part in result.get("content") or []
    ]
    text = "\n".join(str(part) for part in parts)
    preview = " ".join(text[: 2 * _PREVIEW].split())
    preview = preview if len(preview) <= _PREVIEW else preview[:_PREVIEW] + "…"
    kind = "Error" if result.get("status") == "error" else "Result"
    label = f"{kind} of {plain(tool_name)}: {plain(preview)}"
    with st.expander(label, icon=":material/build_circle:", type="compact"):
        st.code(text, language="json", wrap_lines=True)


def _draw_citations(block: JsonDict) -> None:
    for part in block.get("content") or []:
        _draw_text(part.get("text", ""))
    sources = [citation.get("title") or "untitled source" for citation in block.get("citations") or []]
    if sources:
        st.caption("Cited: " + ", ".join(plain(source) for source in dict.fromkeys(sources)))


def _draw_image(image: JsonDict) -> None:
    data = (image.get("source") or {}).get("bytes")
    if data:
        st.image(data)
    else:
        _draw_unknown({"image": image})


def _draw_document(document: JsonDict) -> None:
    st.markdown(f":material/description: {plain(document.get('name', 'document'))}")


def _draw_unknown(block: JsonDict) -> None:
    kind = next(iter(block), "block")
    with st.expander(f"{plain(kind)}", icon=":material/data_object:", type="compact"):
        st.code(_pretty(block), language="json", wrap_lines=True)


def _pretty(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=repr)


_DRAW: dict[str, Callable[[Any], None]] = {
    "text": _draw_text,
    "reasoningContent": _draw_reasoning,
    "toolUse": _draw_tool_use,
    "citationsContent": _draw_citations,
    "image": _draw_image,
    "document": _draw_document,
}
