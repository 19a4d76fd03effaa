"""The cases of a guardrail suite: read from files of many forms, and written again."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.batch_files import BatchFileError
from services.guardrail_suites import cases as suite_cases
from services.guardrail_suites.cases import Read, cases_of, read


def test_columns_are_found_by_their_names_and_words_are_understood() -> None:
    table = (
        b"Prompt,Label,Category,Side,context,question\n"
        b"hello,benign,,,,\nkill,unsafe,prompt_attack,,,\nmine,redacted,PII,output,,\n"
        b"42,blocked,grounding,,The answer is 41.,What is it?\n"
    )
    found = read(table, "x.csv").cases
    assert [(c.id, c.source, c.expected, c.policy) for c in found] == [
        ("1", "INPUT", "passed", ""),
        ("2", "INPUT", "blocked", "contentPolicy"),
        ("3", "OUTPUT", "masked", "sensitiveInformationPolicy"),
        ("4", "OUTPUT", "blocked", "contextualGroundingPolicy"),
    ]
    assert (found[3].grounding_source, found[3].query) == ("The answer is 41.", "What is it?")


def test_bad_lines_are_named_with_their_reason_and_the_good_ones_are_taken() -> None:
    table = (
        'id,text,expected,policy,source,grounding_source\na,"two\nlines",blocked,topic,,\nb,,passed,,,\n'
        "c,x,maybe,,,\nd,y,passed,magic,,\ne,z,passed,,sideways,\nf,w,passed,,,doc\na,v,passed,,,\n"
        'g,"two\nlines",passed,,,\n'
    )
    found = read(table.encode(), "x.csv")
    assert [case.id for case in found.cases] == ["a"]
    assert found.faults == (
        "Line 4 has no text.",
        "Line 5 expects “maybe”: write blocked, masked or passed.",
        "Line 6 names the policy “magic”: write topic, content, word, pii or grounding.",
        "Line 7 has the source “sideways”: write INPUT or OUTPUT.",
        "Line 8 needs both a grounding source and a query, or neither.",
        "Line 9 has the same id “a” as line 2.",
        "Line 10 checks the same text as line 2.",
    )


def test_jsonl_is_read_and_a_file_without_the_columns_is_refused() -> None:
    found = read(b'{"text":"a","expected":"pass"}\n\n{"text":"b","expected":"x"}\n', "x.jsonl")
    assert found.faults == ("Line 3 expects “x”: write blocked, masked or passed.",)
    with pytest.raises(BatchFileError, match="no column “expected”"):
        read(b"text,foo\na,b\n", "x.csv")


def test_cases_come_back_from_their_csv_and_no_spreadsheet_runs_them() -> None:
    hostile = ("=HYPERLINK(1)", "-1+1", "@SUM", "'=quoted", 'a"b,c', "line\nbreak", "‮right to left", "😀")
    cases = cases_of([{"text": text, "expected": "passed", "note": text} for text in hostile]).cases
    written = suite_cases.csv_text(cases)
    assert ",=HYPERLINK" not in written
    back = read(written.encode(), "x.csv").cases
    assert [case.text for case in back if case.text != "=quoted"] == [t for t in hostile if t != "'=quoted"]
    assert suite_cases.from_json(suite_cases.to_json(cases)) == cases


def test_rows_without_an_id_get_one_that_is_free() -> None:
    rows = [{"text": "a", "expected": "passed"}, {}, {"text": "b", "expected": "passed", "id": "1"}]
    assert [case.id for case in cases_of(rows).cases] == ["2", "1"]
    assert cases_of([]) == Read(())


def test_the_library_is_offered_where_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite_cases, "SAMPLES", tmp_path)
    assert suite_cases.library() == {}
    (tmp_path / "attack_library.csv").write_text("text,expected\na,blocked\n")
    assert [path.name for path in suite_cases.library().values()] == ["attack_library.csv"]
