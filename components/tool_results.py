"""Under a reply: the form for the results of its tool calls, and how it keeps to the output schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from components.pane_actions import PaneActions
from components.safe_markdown import plain
from components.shown import show
from services.conversations import Pane, reply_content, tool_steps, waiting_calls
from services.runs import Run
from services.structured_output import check_output, reply_text
from services.tools import MOST_STEPS, Status, ToolResult, mocked_results, unparsed_input


def tool_results(n: int, pane: Pane, actions: PaneActions) -> None:
    """Draw one field for each call that waits for its result; nothing where none waits.

    What is typed is kept by call, in `st.session_state.playground_tool_results`, until it has been sent.
    """
    calls = waiting_calls(pane.turns)
    if not calls:
        return
    with st.container(key=f"playground_tool_results_{n}", border=True, gap="small"):
        _why_by_hand(pane, calls)
        for place, call in enumerate(calls):
            _result_fields(n, place, pane, call)
        with st.container(horizontal=True, gap="xsmall"):
            st.button(
                "Send results" if len(calls) > 1 else "Send result",
                key=f"playground_send_results_{n}",
                icon=":material/send:",
                type="primary",
                disabled=actions.answer is None,
                help="The model goes on with this, in this pane",
                on_click=_send,
                args=(pane, calls, actions),
            )
            st.button(
                "Save as mock",
                key=f"playground_save_mock_{n}",
                icon=":material/bookmark:",
                type="tertiary",
                help="Keep these answers for the next calls of the same tools",
                on_click=_save_mocks,
                args=(pane, calls, actions),
            )


def output_check(run: Run, schema_text: str) -> None:
    """Say whether a whole reply follows the pane's output schema; nothing without one, or for a tool call."""
    if not schema_text.strip() or run.state != "done" or run.stop_reason == "tool_use":
        return
    check = check_output(reply_text(reply_content(run)), schema_text)
    if check is None:
        return
    note = f" {plain(check.note)}" if check.note else ""
    if check.valid:
        st.markdown(f":green-badge[:material/check: Follows the schema]{note}")
    else:
        lines = "\n".join(f"- {plain(error)}" for error in check.errors)
        st.warning(f"The reply does not follow the schema.{note}\n\n{lines}", icon=":material/rule:")


def _why_by_hand(pane: Pane, calls: Sequence[dict[str, Any]]) -> None:
    st.markdown("**The model waits for results**")
    if not pane.settings.answer_from_mocks:
        return
    if tool_steps(pane.turns) >= MOST_STEPS:
        st.caption(f"{MOST_STEPS} results in a row were sent automatically; the next one is yours to send.")
    elif mocked_results(calls, pane.settings.tool_mocks) is None:
        st.caption("Not answered automatically: a call has no saved answer, or its input cannot be read.")
    elif pane.halted:
        st.caption("Stopped: nothing is answered automatically until you send something.")


def _kept() -> dict[tuple[str, str], ToolResult]:
    kept: dict[tuple[str, str], ToolResult] = st.session_state.setdefault("playground_tool_results", {})
    return kept


def _result(pane: Pane, call: dict[str, Any]) -> ToolResult:
    """What stands in a call's fields: what was typed, or what they begin with."""
    call_id = str(call.get("toolUseId"))
    typed = _kept().get((pane.key, call_id))
    return typed or ToolResult(call_id, *_prefilled(pane, str(call.get("name", "?")), call))


def _result_fields(n: int, place: int, pane: Pane, call: dict[str, Any]) -> None:
    name, result = str(call.get("name", "?")), _result(pane, call)
    text_key, error_key = f"playground_result_{n}_{place}", f"playground_result_error_{n}_{place}"

    def keep() -> None:
        status: Status = "error" if st.session_state[error_key] else "success"
        text = st.session_state[text_key] or ""
        _kept()[pane.key, result.tool_use_id] = ToolResult(result.tool_use_id, text, status)

    if unparsed_input(call) is not None:
        st.caption(
            f"The input of this call of {plain(name)} is not JSON. An error result lets the model retry."
        )
    show(text_key, result.text, "")
    st.text_area(
        f"Result of {plain(name)}",
        key=text_key,
        height=80,
        placeholder="JSON or text",
        help="A JSON object is sent as JSON, anything else as text",
        on_change=keep,
    )
    show(error_key, result.status == "error", False)
    st.toggle("It failed", key=error_key, help='Sent as status "error"', on_change=keep)


def _prefilled(pane: Pane, name: str, call: dict[str, Any]) -> tuple[str, Status]:
    if unparsed_input(call) is not None:
        return "The input was not valid JSON. Call the tool again with valid JSON.", "error"
    return pane.settings.tool_mocks.get(name, ""), "success"


def _send(pane: Pane, calls: Sequence[dict[str, Any]], actions: PaneActions) -> None:
    if actions.answer:
        actions.answer([_result(pane, call) for call in calls])


def _save_mocks(pane: Pane, calls: Sequence[dict[str, Any]], actions: PaneActions) -> None:
    results = {call["name"]: _result(pane, call) for call in calls}
    mocks = {name: r.text for name, r in results.items() if r.status == "success" and r.text.strip()}
    actions.change_settings(lambda now: replace(now, tool_mocks={**now.tool_mocks, **mocks}))
    if not mocks:
        st.toast("Nothing to save: no result has a text, or all are errors.")
