"""What a model writes must be shown, not obeyed."""

from __future__ import annotations

import pytest

from components.safe_markdown import escape, escape_stream, plain


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("costs $5 and $6", r"costs \$5 and \$6"),
        ("![x](https://evil.example/pixel)", r"\![x](https://evil.example/pixel)"),
        (":red[alarm] and :blue-badge[x]", r"\:red[alarm] and \:blue-badge[x]"),
        ("at 12:30, see https://aws.example/a", "at 12:30, see https://aws.example/a"),
        ("already \\$ escaped", "already \\$ escaped"),
        ("`$HOME :red[x]` then $", r"`$HOME :red[x]` then \$"),
        ("```sh\necho $HOME\n```\nthen $", "```sh\necho $HOME\n```\nthen \\$"),
        ("~~~\n$a\n~~~\n$b", "~~~\n$a\n~~~\n\\$b"),
        ("``a ` $b`` $c", r"``a ` $b`` \$c"),
        ("never `closed $x\n\nnext $y", "never `closed $x\n\nnext \\$y"),
        ("", ""),
    ],
)
def test_text_is_drawn_as_written(written: str, drawn: str) -> None:
    assert escape(written) == drawn


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_stream_is_escaped_like_the_whole(size: int) -> None:
    """Chunk borders fall anywhere, also inside a fence or before the `[` of an image."""
    text = "a $1 ![i](u) `c $` \\$ :red[z]\n```py\nx = '$'\n````\n```\n end! $ `` $ ` `` :b"
    chunks = [text[i : i + size] for i in range(0, len(text), size)]
    assert "".join(escape_stream(chunks)) == escape(text)


def test_a_stream_holds_back_no_more_than_it_must() -> None:
    assert list(escape_stream(["Hello", " world", "!"])) == ["Hello", " world", "!"]


def test_plain_text_has_no_markup_left() -> None:
    assert plain("a*b_[c](d)$\n:e") == r"a\*b\_\[c\]\(d\)\$ \:e"
