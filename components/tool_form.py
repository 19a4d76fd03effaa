"""A pane's tools: their JSON, which one the model may take, saved answers, and the form of the reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import streamlit as st

from components.pane_actions import PaneActions
from components.safe_markdown import plain
from components.shown import show
from services.conversations import Pane
from services.models import Model
from services.tools import EXAMPLE, EXAMPLE_MOCKS, MOST_STEPS, JsonFault, Tools, read_schema, read_tools

_CHOICES = {"auto": "Auto", "any": "Any tool", "none": "None"}
_SHOWN_FAULTS = 8


def tool_form(n: int, pane: Pane, model: Model | None, actions: PaneActions) -> None:
    """Draw the form; every edit goes out through `actions.change_settings`."""
    if model and model.capabilities.tools is False:
        st.caption("This model takes no tools: a prompt that carries some is refused.")
    if pane.settings.operation == "InvokeModel":
        st.caption(
            "This pane asks through InvokeModel: tools and the output schema go out with Converse alone."
        )
    _editor(n, pane, actions)
    tools = read_tools(pane.settings.tools_json)
    _faults(tools.faults)
    if tools.entries:
        _choice(n, pane, tools, actions)
        _mocks(n, pane, tools, actions)
    _output_schema(n, pane, actions)


def _editor(n: int, pane: Pane, actions: PaneActions) -> None:
    def change(text: str) -> None:
        chosen = read_tools(text).choice
        actions.change_settings(
            lambda now: replace(now, tools_json=text, tool_choice=chosen or now.tool_choice)
        )

    def example() -> None:
        actions.change_settings(
            lambda now: replace(now, tools_json=EXAMPLE, tool_mocks={**EXAMPLE_MOCKS, **now.tool_mocks})
        )

    _text_area(
        f"playground_tools_{n}",
        "Tools (JSON)",
        pane.settings.tools_json,
        change,
        height=200,
        help="Sent as `toolConfig`: a list of tools, AWS's `toolSpec` objects, or a whole `toolConfig`.",
    )
    if not pane.settings.tools_json.strip():
        st.button(
            "Insert an example",
            key=f"playground_tools_example_{n}",
            icon=":material/build:",
            help="A weather tool with a saved answer",
            on_click=example,
        )


def _choice(n: int, pane: Pane, tools: Tools, actions: PaneActions) -> None:
    key = f"playground_tool_choice_{n}"
    labels = _CHOICES | {f"tool:{name}": f"Only {name}" for name in tools.names}
    chosen = pane.settings.tool_choice
    if chosen not in labels:
        labels[chosen] = f"{chosen.removeprefix('tool:')} (not among the tools)"
    show(key, chosen, next(iter(labels)))
    st.selectbox(
        "Tool choice",
        list(labels),
        key=key,
        format_func=lambda choice: labels[choice],
        help="With None the tools stay at home, except where the chat already holds tool calls: "
        "Converse then wants their definitions.",
        on_change=lambda: actions.change_settings(
            lambda now: replace(now, tool_choice=st.session_state[key])
        ),
    )


def _mocks(n: int, pane: Pane, tools: Tools, actions: PaneActions) -> None:
    for name in tools.names:
        _text_area(
            f"playground_mock_{n}_{name}",
            f"Saved answer of {plain(name)}",
            pane.settings.tool_mocks.get(name, ""),
            _mock_setter(name, actions),
            placeholder="none: JSON or text",
            help="JSON or text. It fills the result field when the model calls this tool.",
        )
    key = f"playground_mocks_auto_{n}"
    show(key, pane.settings.answer_from_mocks, False)
    st.toggle(
        "Answer from saved answers automatically",
        key=key,
        help=f"When every call of a reply has one. At most {MOST_STEPS} times in a row; Stop ends it. "
        "Each answer is a call to the model of its own.",
        on_change=lambda: actions.change_settings(
            lambda now: replace(now, answer_from_mocks=st.session_state[key])
        ),
    )


def _mock_setter(name: str, actions: PaneActions) -> Callable[[str], None]:
    def change(text: str) -> None:
        actions.change_settings(lambda now: replace(now, tool_mocks={**now.tool_mocks, name: text}))

    return change


def _output_schema(n: int, pane: Pane, actions: PaneActions) -> None:
    _text_area(
        f"playground_output_schema_{n}",
        "Output schema (JSON Schema)",
        pane.settings.output_schema,
        lambda text: actions.change_settings(lambda now: replace(now, output_schema=text)),
        height=120,
        placeholder="none: the reply may be any text",
        help="Every reply is checked against it.",
    )
    _faults(read_schema(pane.settings.output_schema)[1])
    key = f"playground_output_schema_send_{n}"
    show(key, pane.settings.send_output_schema, False)
    st.toggle(
        "Send the schema to the model",
        key=key,
        help="As `outputConfig.textFormat`. Off, replies are only checked: for models that refuse it.",
        on_change=lambda: actions.change_settings(
            lambda now: replace(now, send_output_schema=st.session_state[key])
        ),
    )


def _faults(faults: Sequence[JsonFault]) -> None:
    if not faults:
        return
    lines = [f"- {plain(fault.sentence)}" for fault in faults[:_SHOWN_FAULTS]]
    if len(faults) > _SHOWN_FAULTS:
        lines.append(f"- and {len(faults) - _SHOWN_FAULTS} more")
    st.error("\n".join(lines), icon=":material/error:")


def _text_area(
    widget: str,
    label: str,
    value: str,
    on_change: Callable[[str], None],
    *,
    help: str,
    height: int = 80,
    placeholder: str = "not sent",
) -> None:
    show(widget, value, "")
    st.text_area(
        label,
        key=widget,
        height=height,
        placeholder=placeholder,
        help=help,
        on_change=lambda: on_change(st.session_state[widget] or ""),
    )
