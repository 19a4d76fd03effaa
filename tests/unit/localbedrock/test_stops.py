"""Stop sequences in streamed text."""

from __future__ import annotations

import pytest

from localbedrock.text.stops import StopScanner


def _run(stops: tuple[str, ...], pieces: list[str]) -> tuple[str, str | None]:
    scanner = StopScanner(stops)
    out = "".join(scanner.feed(piece) for piece in pieces)
    return out + ("" if scanner.found else scanner.flush()), scanner.found


@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_a_stop_sequence_is_cut_off_however_the_text_is_split(size: int) -> None:
    text = "one two STOP three"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert _run(("STOP",), pieces) == ("one two ", "STOP")


def test_nothing_of_a_stop_sequence_is_ever_shown() -> None:
    scanner = StopScanner(("</end>",))
    shown = [scanner.feed(piece) for piece in ("a<", "/e", "nd", ">b")]
    assert "".join(shown) == "a"
    assert scanner.feed("more") == ""


def test_text_that_only_looked_like_a_stop_sequence_comes_out() -> None:
    assert _run(("STOP",), ["ST", "OR", "E ST"]) == ("STORE ST", None)


def test_the_first_sequence_in_the_text_wins() -> None:
    assert _run(("bb", "a"), ["xxabb"]) == ("xx", "a")


def test_a_sequence_that_overlaps_itself_is_found() -> None:
    assert _run(("aab",), ["a", "a", "a", "b"]) == ("a", "aab")


def test_without_sequences_text_passes_at_once() -> None:
    assert StopScanner(()).feed("as it is") == "as it is"
