"""Files as people have them: read as they are meant, or refused with the line to correct."""

from __future__ import annotations

import pytest

from services import batch_files
from services.batch_files import BatchFileError, default_template, match, read, render, variables


def faults(data: bytes, name: str = "") -> str:
    with pytest.raises(BatchFileError) as caught:
        read(data, name)
    return "\n".join(caught.value.faults)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_with_a_mark_quotes_and_line_breaks_is_read_whole(delimiter: str) -> None:
    text = '\ufeffprompt,lang\r\n"Say ""hi"",\nplease",en\r\n\r\nBonjour,fr\r\n'.replace(",", delimiter)
    table = read(text.encode())
    assert table.headers == ("prompt", "lang")
    assert table.rows == ((f'Say "hi"{delimiter}\nplease', "en"), ("Bonjour", "fr"))


def test_a_file_with_one_column_needs_no_quotes_around_commas() -> None:
    assert read(b"prompt\nHello, world\nA; b\n").rows == (("Hello, world",), ("A; b",))


def test_a_comma_inside_a_quoted_name_does_not_separate() -> None:
    assert read(b'"a, b";c\n1;2').headers == ("a, b", "c")


def test_utf_16_with_its_mark_is_read() -> None:
    assert read("prompt\nÜber 😀".encode("utf-16")).rows == (("Über 😀",),)


def test_a_prompt_of_a_megabyte_fits() -> None:
    assert len(read(b'prompt,x\n"' + b"word " * 200_000 + b'",1').rows[0][0]) == 1_000_000


def test_ragged_rows_are_named_by_their_line_also_after_a_quoted_line_break() -> None:
    said = faults(b'a,b\n"1\n2",3\nonly\n4,5,6\n')
    assert "Line 4 has 1 value, the header 2." in said
    assert "Line 5 has 3 values, the header 2." in said


def test_of_many_faults_the_first_are_told_and_the_rest_counted() -> None:
    said = faults(b"a,b\n" + b"1\n" * 9)
    assert said.count("has 1 value,") == batch_files.SHOWN_FAULTS
    assert "4 more lines" in said


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b" \n \n", "empty"),
        (b"prompt\n", "no row"),
        (b"a,,c\n1,2,3", "Column 2 has no name"),
        (b"a,b,a\n1,2,3", "two columns “a”"),
        (b"prompt\nnull\0here", "Line 2 holds a null character"),
        (b"prompt\nok\ncaf\xe9", "Line 3 is not UTF-8"),
        ("prompt\nhi".encode("utf-16-le"), "null character"),
        (b'a,b\n1,2\n"open,3\n4,5\n', "row of line 3 is never closed"),
        (b'a,b\n"x"y,2\n', "Line 2: a quotation mark"),
        (b"prompt\n" + b"x\n" * (batch_files.MAX_ROWS + 1), "10,001 rows"),
        (b"x" * (20 * 2**20), "20.0 MB"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(data: bytes, sentence: str) -> None:
    assert sentence in faults(data)


def test_jsonl_keeps_texts_and_turns_the_rest_into_json() -> None:
    table = read(b'{"prompt": "Hi", "n": 3, "tags": ["a"], "none": null}\n\n{"prompt": "Ho"}\n')
    assert table.headers == ("prompt", "n", "tags", "none")
    assert table.rows == (("Hi", "3", '["a"]', ""), ("Ho", "", "", ""))
    assert "“n” is missing in 1 line: it is empty there." in table.notes


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b'{"prompt": "x"', "Line 2 is not valid JSON"),
        (b"[1, 2]", "Line 2 is JSON, but not an object"),
        (b"{}", "Line 2 is JSON, but not an object"),
        (b'{"p": "\\u0000"}', "Line 2 holds a null character"),
        (b'{"p": "\\ud83d"}', "Line 2 holds half a character"),
        (b"[" * 100_000, "Line 2 is nested too deeply"),
    ],
)
def test_a_wrong_line_of_jsonl_is_named(line: bytes, sentence: str) -> None:
    assert sentence in faults(b'{"p": "fine"}\n' + line)


def test_the_ending_of_a_name_tells_jsonl() -> None:
    assert "Line 1 is not valid JSON" in faults(b"prompt\nHi", "prompts.jsonl")


def test_the_column_prompt_is_the_template_or_else_the_first() -> None:
    assert default_template(["id", "Prompt"]) == "{{Prompt}}"
    assert default_template(["question", "answer"]) == "{{question}}"


def test_variables_find_their_columns_by_name_in_any_case() -> None:
    names = variables("{{ question }} in {{Lang}} {{question}} {{other}} {not}")
    assert names == ("question", "Lang", "other")
    assert match(names, ["Question", "lang", "LANG"]) == {"question": "Question", "Lang": "lang"}


def test_a_value_that_looks_like_a_variable_is_not_replaced_again() -> None:
    assert render("{{a}} {{ b }} {{c}}", {"a": "{{b}}", "b": "\\1"}) == "{{b}} \\1 {{c}}"
