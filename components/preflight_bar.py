"""Between the panes and the prompt: what the next send takes in each pane, and a place to try a prompt first.

What is typed into `st.chat_input` reaches the server only when it is sent. So the line under a pane tells
what is known without it, and "Check before sending" is where a prompt can be weighed before it goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import streamlit as st

from components.attachment_view import draw_chips
from components.metrics_line import format_usd
from components.problem_card import problem_card
from components.safe_markdown import plain
from services import attachments, preflight
from services.attachments import Attachment
from services.playground import Playground
from services.preflight import Preflight
from services.problems import Problem

_DRAFT = "playground_draft"
_CHECK = "playground_check"
_TEXT = "playground_check_text"
_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class Draft:
    """A prompt that is not sent: its words, its files, and the files that cannot be sent.

    `held` is True where it was sent, and came back because no model would take it as it is.
    """

    text: str = ""
    files: tuple[Attachment, ...] = ()
    bad_files: tuple[Problem, ...] = ()
    held: bool = False

    @property
    def problem(self) -> Problem | None:
        """Why no model would take it, apart from the files that cannot be sent at all."""
        return attachments.prompt_problem(self.text, self.files)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not self.text.strip() and not self.files

    def plus(self, other: Draft) -> Draft:
        """Both, so that neither is lost."""
        text = "\n\n".join(part for part in (self.text, other.text) if part.strip())
        return Draft(
            text, self.files + other.files, self.bad_files + other.bad_files, self.held or other.held
        )


def draft_of(text: str, uploads: Sequence[Any]) -> Draft:
    """The words and the uploaded files of a prompt, read and checked."""
    files = [attachments.read(upload.name, upload.getvalue()) for upload in uploads]
    return Draft(
        text,
        tuple(file for file in files if isinstance(file, Attachment)),
        tuple(file for file in files if isinstance(file, Problem)),
    )


def hold(draft: Draft) -> None:
    """Keep a prompt that cannot be sent as it is, beside what is being drafted already."""
    st.session_state[_DRAFT] = _draft().plus(replace(draft, held=True))


def preflight_bar(
    playground: Playground, send: Callable[[Draft], None], access: Callable[[Any], str], *, may_send: bool
) -> None:
    """Draw the line of every pane, what was held back, and the check. `send` sends a draft."""
    with st.container(key="playground_preflight", gap="xsmall"):
        draft = _draft()
        if draft.held:
            _held_back(draft, send)
        if not playground.any_live:
            _lines(playground)
        check = st.expander(
            "Check before sending",
            icon=":material/fact_check:",
            type="compact",
            key=_CHECK,
            on_change="rerun",
        )
        if check.open:
            with check:
                _check(playground, draft, send, access, may_send)


def _draft() -> Draft:
    found = st.session_state.get(_DRAFT)
    return found if isinstance(found, Draft) else Draft()


def _change(draft: Draft) -> None:
    st.session_state[_DRAFT] = draft


def _send(draft: Draft, send: Callable[[Draft], None]) -> None:
    st.session_state[_DRAFT] = Draft()
    st.session_state[_CHECK] = False
    send(replace(draft, bad_files=(), held=False))


def _held_back(draft: Draft, send: Callable[[Draft], None]) -> None:
    found = [*draft.bad_files, *([draft.problem] if draft.problem else [])]
    for number, problem in enumerate(found):
        problem_card(problem, key=f"prompt_{number}")
    st.caption("Nothing was sent, and nothing is lost: the prompt and the other files are kept here.")
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            "Send without the files above" if draft.bad_files else "Send",
            key="playground_held_send",
            icon=":material/send:",
            disabled=draft.empty or draft.problem is not None,
            on_click=_send,
            args=(draft, send),
        )
        st.button(
            "Edit the prompt",
            key="playground_held_edit",
            icon=":material/edit:",
            on_click=lambda: st.session_state.update({_CHECK: True}),
        )
        st.button(
            "Discard",
            key="playground_held_discard",
            icon=":material/delete:",
            on_click=_change,
            args=(Draft(),),
        )


def _look_again_while(weigh: Callable[[], list[Preflight]], found: list[Preflight]) -> None:
    """While something is being counted, come back to look; then draw the page once more."""

    def look() -> None:
        if not _pending(weigh()):
            st.rerun()  # a whole run, after which nothing comes back to look any more

    if _pending(found):
        st.fragment(look, run_every=_LOOK_AGAIN_S)()


def _lines(playground: Playground) -> None:
    def weigh() -> list[Preflight]:
        return [
            preflight.of_pane(pane, playground.model_of(pane), playground.identity)
            for pane in playground.panes
        ]

    found = weigh()
    if any(map(_worth_a_line, found)):
        for one, column in zip(found, st.columns(len(found)), strict=True):
            with column:
                _line(one, "Every next prompt sends")
    _look_again_while(weigh, found)


def _worth_a_line(found: Preflight) -> bool:
    return bool(found.count or found.problem or found.warnings)


def _pending(found: Sequence[Preflight]) -> bool:
    return any(one.count and one.count.pending for one in found)


def _line(found: Preflight, start: str) -> None:
    if found.count:
        st.caption(f"{start} {_in_words(found)}".replace("$", "\\$"), help=_explained(found))
    if found.problem:
        st.caption(f":red[{plain(found.problem.title)}.] {plain(found.problem.fix)}")
    for warning in found.warnings:
        st.caption(f":orange[{plain(warning)}]")


def _in_words(found: Preflight) -> str:
    count = found.count
    if count is None:
        return ""
    parts = [f"{'' if count.exact else '≈ '}{count.tokens:,} tokens"]
    if count.uncounted_files:
        parts.append("files not counted")
    parts.append("unpriced" if found.input_usd is None else format_usd(found.input_usd))
    if found.context_tokens:
        share = count.tokens / found.context_tokens
        parts.append(f"{_percent(share)} of {found.context_tokens:,}")
    return " · ".join(parts)


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"


def _explained(found: Preflight) -> str:
    count = found.count
    if count is None or count.exact:
        how = "Counted by CountTokens."
    elif count.pending:
        how = "An estimate, until CountTokens has answered."
    else:
        how = f"An estimate. {plain(count.why)}"
    return f"{how} System prompt, tools and the chat so far go out again with every prompt."


def _check(
    playground: Playground,
    draft: Draft,
    send: Callable[[Draft], None],
    access: Callable[[Any], str],
    may_send: bool,
) -> None:
    st.session_state[_TEXT] = draft.text
    st.text_area(
        "Prompt to check",
        key=_TEXT,
        height=100,
        placeholder="Write a prompt here to see what it takes in each pane before it is sent",
        on_change=lambda: _change(replace(_draft(), text=st.session_state[_TEXT])),
    )
    _files(draft)
    content, _ = attachments.blocks(draft.text, draft.files, playground.document_names())
    if draft.problem:
        st.caption(f":red[{plain(draft.problem.title)}.] {plain(draft.problem.fix)}")
    if content and any(pane.linked for pane in playground.panes):
        _panes(playground, content, _key(draft), access)
    st.button(
        "Send",
        key="playground_check_send",
        icon=":material/send:",
        type="primary",
        disabled=draft.empty or draft.problem is not None or not may_send,
        on_click=_send,
        args=(draft, send),
    )


def _files(draft: Draft) -> None:
    round_ = st.session_state.get("playground_check_round", 0)
    key = f"playground_check_files_{round_}"  # a new uploader once its files are in the draft

    def take() -> None:
        _change(_draft().plus(draft_of("", st.session_state[key] or [])))
        st.session_state.playground_check_round = round_ + 1

    st.file_uploader(
        "Files to check",
        accept_multiple_files=True,
        key=key,
        on_change=take,
    )
    for problem in () if draft.held else draft.bad_files:
        st.caption(f":red[{plain(problem.title)}.] {plain(problem.cause)} {plain(problem.fix)}")
    if draft.files:
        draw_chips(draft.files)
    if draft.files or draft.bad_files:
        st.button(
            "Remove the files",
            key="playground_check_no_files",
            icon=":material/delete:",
            type="tertiary",
            on_click=lambda: _change(replace(_draft(), files=(), bad_files=(), held=False)),
        )


def _panes(
    playground: Playground, content: Sequence[dict[str, Any]], key: str, access: Callable[[Any], str]
) -> None:
    panes = [pane for pane in playground.panes if pane.linked]
    models = [playground.model_of(pane) for pane in panes]

    def weigh() -> list[Preflight]:
        return [
            preflight.of_pane(pane, model, playground.identity, content, key)
            for pane, model in zip(panes, models, strict=True)
        ]

    found = weigh()
    columns = st.columns(len(found))
    for pane, model, one, column in zip(panes, models, found, columns, strict=True):
        with column:
            st.markdown(f"**{plain(model.name) if model else 'No model'}**")
            _line(one, "In:")
            _output_line(one)
            if model:
                st.caption(access(pane))
    _look_again_while(weigh, found)


def _output_line(found: Preflight) -> None:
    if not found.most_output_tokens:
        return
    price = "unpriced" if found.most_output_usd is None else format_usd(found.most_output_usd)
    room = "" if found.room_tokens is None else f" · room left {max(found.room_tokens, 0):,}"
    st.caption(f"Out: at most {found.most_output_tokens:,} tokens · {price}{room}".replace("$", "\\$"))


def _key(draft: Draft) -> str:
    """Names the words and files of a draft; counts are kept by it."""
    parts = [draft.text, *(f"{file.name}\0{file.format}\0{hash(file.data)}" for file in draft.files)]
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
