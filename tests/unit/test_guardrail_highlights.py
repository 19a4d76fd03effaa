"""Matches stand where they are in the text, none hides another, and what nobody sees is shown."""

from __future__ import annotations

import time

import pytest

from services.guardrail_highlights import Mark, Tone, marks_of, segments, visible_pieces, word_diff


def drawn(text: str, *matches: str) -> list[tuple[str, list[str]]]:
    """The pieces of the text with the labels on each; the label of a match is the match."""
    marks = marks_of(text, [(match, match, "blocked") for match in matches])
    pieces = segments(text, marks)
    assert "".join(piece.text for piece in pieces) == text
    return [(piece.text, [mark.label for mark in piece.marks]) for piece in pieces]


def marked(text: str, *matches: str) -> list[str]:
    return [piece for piece, labels in drawn(text, *matches) if labels]


def test_every_place_of_a_match_is_marked() -> None:
    assert marked("Al and Al", "Al") == ["Al", "Al"]


def test_a_name_is_not_marked_within_other_words() -> None:
    assert marked("Al also sees Alma", "Al") == ["Al"]


def test_a_match_that_only_stands_within_a_word_is_marked_there() -> None:
    assert marked("xx4111yy", "4111") == ["4111"]


@pytest.mark.parametrize("match", ["jane  doe", "JANE DOE", " Jane\nDoe "])
def test_case_and_white_space_may_differ(match: str) -> None:
    assert marked("I am Jane\t Doe.", match) == ["Jane\t Doe"]


@pytest.mark.parametrize("match", ["a+b@x.com", "(555) 010", "[", "\\d", "<b>", "$1"])
def test_a_match_is_no_pattern(match: str) -> None:
    assert marked(f"so {match} it is, ab@xxcom 1", match) == [match]


def test_nothing_is_marked_for_a_match_that_is_not_there() -> None:
    assert drawn("abc", "x", "", "  ") == [("abc", [])]
    assert drawn("", "x") == []


def test_one_type_never_hides_another() -> None:
    text = "see https://x.com/a@b.com now"
    assert drawn(text, "https://x.com/a@b.com", "a@b.com") == [
        ("see ", []),
        ("https://x.com/", ["https://x.com/a@b.com"]),
        ("a@b.com", ["https://x.com/a@b.com", "a@b.com"]),
        (" now", []),
    ]


def test_two_types_on_the_same_words_are_both_named_once() -> None:
    marks = marks_of("mail a@b.com", [("a@b.com", "Email", "masked"), ("a@b.com", "rule", "blocked")] * 2)
    assert [mark.label for mark in segments("mail a@b.com", marks)[-1].ends] == ["Email", "rule"]


def test_marks_that_overlap_end_where_they_end() -> None:
    pieces = segments("abcdef", [Mark(0, 4, "left"), Mark(2, 6, "right")])
    assert [(piece.text, [end.label for end in piece.ends]) for piece in pieces] == [
        ("ab", []),
        ("cd", ["left"]),
        ("ef", ["right"]),
    ]


def test_offsets_outside_the_text_are_left_out() -> None:
    assert [
        piece.text for piece in segments("abc", [Mark(2, 9, "x"), Mark(-1, 2, "y"), Mark(1, 1, "z")])
    ] == ["abc"]


def test_matches_among_emoji_and_right_to_left_marks_stand_at_their_places() -> None:
    text = "👩‍👩‍👧 \u202eשלום\u202c <b>a@b.com</b> 🇩🇪"
    assert marked(text, "a@b.com", "שלום") == ["שלום", "a@b.com"]


@pytest.mark.parametrize("character", ["\u200b", "\u202e", "\u2066", "\ufeff", "\x00", "\u00ad", "\u2028"])
def test_what_cannot_be_seen_is_named(character: str) -> None:
    name = f"U+{ord(character):04X}"
    assert list(visible_pieces(f"a{character}b")) == [("a", False), (name, True), ("b", False)]


def test_hidden_tags_and_half_pairs_are_named() -> None:
    assert [piece for piece, hidden in visible_pieces("\U000e0041\ud83d") if hidden] == ["U+E0041", "U+D83D"]


@pytest.mark.parametrize(
    "text", ["👩‍👩‍👧 ❤️ 1️⃣", "line\nline\tend", "naïve café", "שלום עולם", "日本語", "§ ± ×"]
)
def test_what_can_be_seen_is_left_alone(text: str) -> None:
    assert list(visible_pieces(text)) == [(text, False)]


def test_a_joiner_between_letters_is_named() -> None:
    assert list(visible_pieces("a\u200db")) == [("a", False), ("U+200D", True), ("b", False)]


def test_a_mask_is_a_change_of_words() -> None:
    assert word_diff("Write to a@b.com today", "Write to {EMAIL} today") == (
        ("same", "Write to "),
        ("removed", "a@b.com"),
        ("added", "{EMAIL}"),
        ("same", " today"),
    )


@pytest.mark.parametrize(("before", "after"), [("", ""), ("", "a b"), ("a b", ""), ("a b c a", "a x c a a")])
def test_a_diff_holds_both_texts(before: str, after: str) -> None:
    changes = word_diff(before, after)
    assert "".join(text for change, text in changes if change != "added") == before
    assert "".join(text for change, text in changes if change != "removed") == after


def test_a_hundred_thousand_characters_are_quick() -> None:
    line = "Call 555-0100 or write to jo@example.com, \u202eplease\u202c. "
    text = (line * (100_000 // len(line) + 1))[:100_000]
    started = time.perf_counter()
    found: list[tuple[str, str, Tone]] = [
        ("555-0100", "Phone", "masked"),
        ("jo@example.com", "Email", "masked"),
    ]
    marks = marks_of(text, found * 2000)
    pieces = segments(text, marks)
    assert "".join(piece.text for piece in pieces) == text
    assert all(text[mark.start : mark.end] in ("555-0100", "jo@example.com") for mark in marks)
    assert sum(1 for piece in pieces for _ in visible_pieces(piece.text)) > len(pieces)
    masked = text.replace("555-0100", "{PHONE}").replace("jo@example.com", "{EMAIL}")
    assert "".join(part for change, part in word_diff(text, masked) if change != "removed") == masked
    assert time.perf_counter() - started < 3
