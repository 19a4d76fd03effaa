"""The numbers stand at their claims, what rests on nothing is shaded, and no Markdown is broken open."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from components.cited_text import cited_markdown
from services.citations import Answer, Span, answer_from_marks, answer_of, fold_rag
from tests.recorded import decoder_of

Part = tuple[str, tuple[int, ...]]


def cited(text: str, *parts: Part, shade: bool = True) -> str:
    """The Markdown of a text whose parts, found in their order, rest on these sources."""
    spans, at = [], 0
    for words, numbers in parts:
        start = text.index(words, at)
        at = start + len(words)
        spans.append(Span(start, at, numbers))
    return cited_markdown(Answer(text, tuple(spans)), turn="0", shade=shade)


def number(*numbers: int, gap: str = "\u202f") -> str:
    return gap + "".join(f"[:blue-badge[{n}]](#rag_citation_0_{n})" for n in numbers)


def grey(text: str) -> str:
    return f":gray-background[{text}]"


class TestNumbers:
    def test_stand_at_the_end_of_their_stretch(self) -> None:
        assert cited("One. Two.", ("One.", (1,)), ("Two.", (2, 1))) == f"One.{number(1)} Two.{number(2, 1)}"

    def test_stand_at_the_end_of_list_items_and_quotes(self) -> None:
        text = "- a\n- b\n> c"
        marked = cited(text, ("- a", (1,)), ("b", (2,)), ("c", (3,)))
        assert marked == f"- a{number(1)}\n- b{number(2)}\n> c{number(3)}"

    def test_a_stretch_without_a_source_has_none(self) -> None:
        assert cited("One.", ("One.", ()), shade=False) == "One."

    def test_do_not_follow_blank_space(self) -> None:
        answer = Answer("One.\n\nTwo.", (Span(0, 6, (1,)),))
        assert cited_markdown(answer, turn="0", shade=False) == f"One.{number(1)}\n\nTwo."

    def test_name_the_turn_that_they_belong_to(self) -> None:
        answer = Answer("One.", (Span(0, 4, (3,)),))
        assert "(#rag_citation_7_b_3)" in cited_markdown(answer, turn="7_b")

    def test_stand_behind_a_block_of_code(self) -> None:
        text = "```py\nx = 1\n```\nEnd."
        assert cited(text, ("x = 1", (1,)), shade=False) == f"```py\nx = 1\n```\n\n{number(1, gap='')}\nEnd."

    def test_code_that_is_not_closed_yet_is_closed_first(self) -> None:
        assert cited("~~~~py\nx", ("x", (1,))) == f"~~~~py\nx\n~~~~\n\n{number(1, gap='')}"

    def test_code_within_a_list_stays_in_it(self) -> None:
        text = "1. x\n   ```\n   y\n   ```\n2. z"
        assert f"   ```\n\n   {number(1, gap='')}\n2. z" in cited(text, ("y", (1,)), shade=False)

    def test_stand_behind_indented_code(self) -> None:
        text = "a\n\n    code\n    more\n\nb"
        assert f"    more\n\n{number(1, gap='')}\n\nb" in cited(text, ("code", (1,)), shade=False)

    def test_stand_in_the_last_cell_of_a_table_row(self) -> None:
        text = "| a | b |\n|---|---|\n| 1 | 2 |"
        assert cited(text, ("| 1 | 2 |", (1,))) == f"| a | b |\n|---|---|\n| 1 | 2{number(1)} |"

    def test_never_in_the_line_below_a_tables_head(self) -> None:
        text = "| a | b |\n|---|---|\n| 1 | 2 |"
        assert cited(text, ("| a | b |\n|---|---|", (1,))) == f"{text}\n\n{number(1, gap='')}"

    def test_stand_in_a_heading(self) -> None:
        assert cited("## Head\ntext", ("## Head", (1,)), shade=False) == f"## Head{number(1)}\ntext"

    @pytest.mark.parametrize(
        ("text", "part", "marked"),
        [
            ("a `b c` d", "a `b", f"a `b c`{number(1)} d"),
            ("a ``b ` c`` d", "a ``b", f"a ``b ` c``{number(1)} d"),
            ("a [b c](d) e", "a [b", f"a [b c](d){number(1)} e"),
            ("a https://b.c/d?e. F", "a https://b", f"a https://b.c/d?e{number(1)}. F"),
            ("**a b** c", "**a b", f"**a b**{number(1)} c"),
        ],
    )
    def test_never_break_a_piece_open(self, text: str, part: str, marked: str) -> None:
        assert cited(text, (part, (1,)), shade=False) == marked


class TestShade:
    def test_what_rests_on_nothing_is_shaded_line_by_line(self) -> None:
        text = "Cited. Not.\n- Neither\n  this"
        marked = cited(text, ("Cited.", (1,)))
        assert marked == f"Cited.{number(1)} {grey('Not.')}\n- {grey('Neither')}\n  {grey('this')}"

    def test_without_it_nothing_is(self) -> None:
        assert cited("Not.", shade=False) == "Not."

    @pytest.mark.parametrize(
        "text",
        [
            "# A heading",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "```\ncode\n```",
            "---",
            "...",
            "an [open bracket",
            "a closed] bracket",
            "half **bold",
            "a `tick",
            "ends in a backslash\\",
            "[name]: https://example.com",
            "see https://example.com/x",
        ],
    )
    def test_what_it_could_break_is_left_as_it_is(self, text: str) -> None:
        assert ":gray-background" not in cited(text)

    def test_emphasis_that_begins_in_a_cited_stretch_is_left_as_it_is(self) -> None:
        assert ":gray-background" not in cited("**a b** and **c", ("**a", (1,)))

    def test_whole_emphasis_code_and_links_are_shaded(self) -> None:
        text = "A **bold** `code` [link](x) snake_case 2 * 3 word"
        assert cited(text) == grey(text)

    def test_a_brace_behind_it_is_not_taken_for_its_attributes(self) -> None:
        assert ":gray-background" not in cited("Not.{x", ("{x", (1,)))


class TestUntrustedText:
    def test_formulas_images_directives_and_tags_are_escaped(self) -> None:
        text = "$5 ![x](http://e/p) :red[y] <img src=x onerror=z> `<b> $`"
        marked = cited(text, ("$5", (1,)), shade=False)
        assert marked.startswith(f"\\$5{number(1)} \\![x](http://e/p) \\:red[y] \\<img src=x onerror=z>")
        assert marked.endswith("`<b> $`")

    def test_a_backslash_at_the_end_of_a_stretch_does_not_reach_the_number(self) -> None:
        assert cited("a\\", ("a\\", (1,))) == f"a\\{number(1)}"

    def test_an_exclamation_mark_makes_no_image_of_the_number(self) -> None:
        assert cited("Wow!", ("Wow!", (1,))) == f"Wow!{number(1)}"

    @pytest.mark.parametrize("text", ["", "\n", "`", "```", "|", "[", "\\", "> ", "| |\n|-|", "- \n- "])
    def test_nothing_is_too_odd(self, text: str) -> None:
        cited(text)
        cited_markdown(Answer(text, (Span(0, len(text), (1,)),)), turn="0")

    def test_a_long_answer_of_hostile_text_takes_no_time(self) -> None:
        for piece in ("`", "[", "*", "**a ", "|\n", "> ", "<a ", "http://", "- [ ] "):
            cited_markdown(Answer(piece * 3_000), turn="0")


def test_numbers_keep_their_place_while_an_answer_of_marks_streams() -> None:
    results: list[dict[str, Any]] = [{"content": {"text": name}} for name in "abc"]
    text = "First [2]. Second [1][2]. Third."
    whole = cited_markdown(answer_from_marks(text, results), turn="0", shade=False)
    assert whole == f"First{number(1)}. Second{number(2, 1)}. Third."
    for end in (len("First [2]"), len("First [2]. Second [1]")):
        part = cited_markdown(answer_from_marks(text[:end], results), turn="0", shade=False)
        assert whole.startswith(part)


@pytest.mark.recordings
def test_recorded_answers_are_marked_at_the_end_of_each_cited_part(recordings: Path) -> None:
    for name in ("retrieve_and_generate_stream", "retrieve_and_generate_with_knowledge_base"):
        answer = recorded(recordings, f"test_{name}.yaml")
        marked = cited_markdown(answer, turn="0", shade=False)
        assert answer.sources
        for span in answer.spans:
            if span.numbers:
                words = answer.text[span.start : span.end].splitlines()[-1][-20:]
                assert f"{words}{number(*span.numbers)}" in marked


def recorded(folder: Path, name: str) -> Answer:
    """The answer in a recording of RetrieveAndGenerate or its stream."""
    decode = decoder_of(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader leaves files to the garbage collector
        interaction = next(iter(decode.interactions(str(folder / "openinference" / name))))
    decoded = decode.decode(interaction)
    if decoded.events:
        return answer_of(fold_rag([pair for event in decoded.events for pair in event.items()]))
    return answer_of(decoded.parsed)
