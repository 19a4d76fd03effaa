"""The prompt of RetrieveAndGenerate: a template, the passages, the question, the conversation.

AWS's placeholders: ``$search_results$`` (a template for generation must have it), ``$query$`` (without it the
question follows the template), ``$output_format_instructions$`` and ``$current_time$``. They are filled in
one pass, so what stands in a passage or a question is never read as a placeholder.

A passage is data. It is shown as one line, so nothing in it can begin a line that looks like another passage,
the question or an instruction; and a tag that the template uses is disarmed in it, so it cannot close the
template's own. The control tokens of a chat are out of reach of any text (``text.prompt``). What a document
says can still sway a model: it cannot pass for the prompt, and it is not cited for what it does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from localbedrock.errors import AwsError, validation
from localbedrock.text.llama import TOO_LONG

DEFAULT_TEMPLATE = """\
Answer the question with the passages below and nothing else.

$search_results$

Question: $query$
Answer:"""
"""Chosen by trying: of six forms, this one makes the 135M model answer from the passages most often. Asked
to say when it does not know, it says so of what it does know.
"""

OUTPUT_FORMAT = "Answer in plain sentences, without source numbers: the sources are added to your answer."
"""Citations are computed from the answer: the model has no format to follow for them."""

_PLACEHOLDER = re.compile(r"\$(search_results|query|output_format_instructions|current_time)\$")
_TAG = re.compile(r"</?([A-Za-z][\w-]*)")
NO_SEARCH_RESULTS = (
    "The prompt template for generation must include the $search_results$ variable. "
    "Add it where the retrieved passages are to stand, and retry your request."
)
NO_CONVERSATION = (
    "The prompt template for orchestration must include the $conversation_history$ and "
    "$output_format_instructions$ variables."
)
ANSWER_TOKENS = 512
"""Room that is left for an answer whose length the caller does not limit."""

Turn = tuple[str, str]
"""A question and its answer."""


def check_template(template: str) -> str:
    """A caller's template for generation; AwsError if the passages have no place in it."""
    if "$search_results$" not in template:
        raise validation(NO_SEARCH_RESULTS)
    return template


def check_orchestration_template(template: str) -> None:
    """A caller's template for orchestration; AwsError if it lacks one of AWS's two required variables."""
    if not all(f"${name}$" in template for name in ("conversation_history", "output_format_instructions")):
        raise validation(NO_CONVERSATION)


def fill(template: str, passages: Sequence[str], question: str) -> str:
    """The prompt's last message."""
    tags = frozenset(name.lower() for name in _TAG.findall(template))
    values = {
        "search_results": "\n".join(f"- {_one_line(passage, tags)}" for passage in passages),
        "query": question,
        "output_format_instructions": OUTPUT_FORMAT,
        "current_time": f"{datetime.now(UTC):%A, %d %B %Y, %H:%M} UTC",
    }
    text = _PLACEHOLDER.sub(lambda found: values[found[1]], template)
    return text if "$query$" in template else f"{text}\n\n{question}"


def fitting(
    passages: Sequence[str],
    turns: Sequence[Turn],
    room: int | None,
    size: Callable[[Sequence[str], Sequence[Turn]], int],
    truncate: Callable[[str, int], str],
) -> tuple[list[str], list[Turn]]:
    """The passages and turns whose prompt has at most ``room`` tokens by ``size`` (None: no limit is known).

    The conversation goes first, its oldest turn before the others; then passages, from the end; the first
    one is cut at its end rather than left out. AwsError if the question alone does not fit.
    """
    kept, history = list(passages), list(turns)
    if room is None or size(kept, history) <= room:
        return kept, history
    while history and size(kept, history) > room:
        del history[0]
    fits, too_many = 0, len(kept) + 1
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if size(kept[:middle], history) <= room else (fits, middle)
    if fits or not kept:
        return kept[:fits], history
    empty = size([], history)
    tokens = room - empty
    while tokens > 0:
        first = truncate(kept[0], tokens)
        taken = size([first], history)
        if taken <= room:
            return [first], history
        tokens = min(tokens - 1, tokens * (room - empty) // (taken - empty))  # another tokenizer cuts
    raise _too_long()


def _too_long() -> AwsError:
    return validation(TOO_LONG)


def _one_line(passage: str, tags: frozenset[str]) -> str:
    return _TAG.sub(
        lambda found: found[0].replace("<", "‹") if found[1].lower() in tags else found[0],
        " ".join(passage.split()),
    )
