"""Text under a guardrail while it is written: pieces in, what may be shown out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from localbedrock.guardrails.streams import BEFORE, HELD, STEP, Filter, filter_for
from localbedrock.guardrails.values import Verdict

BLOCKED = re.compile(r"\b(secret|open the vault at midnight)\b")
MASKED = re.compile(r"\b[\w.]+@[\w.]+\w\b|\+\d{2}( \d+)+|(?<=my name is )\w+")
LONG = "The weather is mild and the harbour is calm today. " * 12


class Judge:
    """A check that blocks and masks by patterns, and remembers what it was shown."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, text: str) -> Verdict:
        self.seen.append(text)
        blocked = BLOCKED.search(text) is not None
        masked = MASKED.sub("{Account Number}", text)
        acted = blocked or masked != text
        return Verdict(
            action="GUARDRAIL_INTERVENED" if acted else "NONE",
            reason="",
            outputs=(),
            assessment={},
            full_assessment={},
            usage={},
            coverage={},
            latency_ms=1,
            blocked=blocked,
            masked=(masked,),
        )


def shown(filtered: Filter, text: str, size: int) -> Iterator[str]:
    for start in range(0, len(text), size):
        yield filtered.feed(text[start : start + size])
    yield filtered.flush()


@pytest.mark.parametrize("size", [1, 3, 7, 200])
@pytest.mark.parametrize("text", ["", "Hello.", LONG, "日本語のテキスト" * 120, LONG.replace(" ", "_")])
def test_what_passes_arrives_whole_and_in_order(text: str, size: int) -> None:
    assert "".join(shown(filter_for("sync", Judge()), text, size)) == text


@pytest.mark.parametrize("size", [1, 4, 60])
@pytest.mark.parametrize("before", range(0, 240, 17))
@pytest.mark.parametrize("words", ["secret", "open the vault at midnight"])
def test_nothing_of_what_is_blocked_ever_leaves(words: str, before: int, size: int) -> None:
    head = LONG[:before] + " "
    filtered = filter_for("sync", Judge())
    seen = "".join(shown(filtered, head + words + " " + LONG, size))
    assert filtered.blocked is not None
    assert head.startswith(seen)


@pytest.mark.parametrize("size", [1, 4, 60])
@pytest.mark.parametrize("before", range(0, 240, 17))
@pytest.mark.parametrize("found", ["ada@lovelace.example.org", "+44 20 7946 0377", "my name is Ada"])
def test_masks_are_whole_and_hide_all_wherever_the_pieces_end(found: str, before: int, size: int) -> None:
    text = f"{LONG[:before]} {found} {LONG}{found} {LONG}"
    pieces = list(shown(filter_for("sync", Judge()), text, size))
    assert "".join(pieces) == MASKED.sub("{Account Number}", text)
    assert all(piece.count("{") == piece.count("}") for piece in pieces)


def test_the_first_piece_waits_for_a_chunk_only_and_a_check_sees_a_bounded_text() -> None:
    judge = Judge()
    filtered = filter_for("sync", judge)
    first = next(place for place, character in enumerate(LONG) if filtered.feed(character))
    assert first < HELD + STEP
    list(shown(filtered, LONG * 5, 5))
    assert max(map(len, judge.seen)) <= BEFORE + HELD + 2 * STEP


def test_a_match_that_began_in_released_text_is_seen_with_it() -> None:
    judge = Judge()
    list(shown(filter_for("sync", judge), LONG, 10))
    assert all(text in LONG for text in judge.seen)
    assert any(len(text) > HELD + STEP for text in judge.seen)


def test_async_releases_at_once_masks_nothing_and_ends_with_what_is_blocked() -> None:
    filtered = filter_for("async", Judge())
    assert filtered.feed("My address is a@b.org. ") == "My address is a@b.org. "
    assert filtered.feed("The secret is this. " + LONG[:80]) != ""
    assert filtered.feed("Never shown.") == ""
    assert filtered.blocked is not None
    assert filtered.flush() == ""


def test_async_checks_the_rest_at_the_end() -> None:
    filtered = filter_for("async", Judge())
    assert filtered.feed("It is a secret") == "It is a secret"
    assert filtered.blocked is None
    assert filtered.flush() == ""
    assert filtered.blocked is not None


def test_whole_waits_for_the_end_and_checks_once() -> None:
    judge = Judge()
    filtered = filter_for("whole", judge)
    assert "".join(shown(filtered, LONG, 9)) == LONG
    assert judge.seen == [LONG]
