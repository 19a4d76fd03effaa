"""Runs as JSON: nothing is lost on the way out and back, and nothing else is let in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from services.clients import Identity
from services.problems import Problem
from services.runs import Call, Run, RunEvent, RunFormatError, TokenUsage, from_json, inline, new_id, to_json


def a_run(**changes: Any) -> Run:
    png = b"\x89PNG\x00\xff"
    request = {
        "modelId": "m",
        "messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": png}}}]}],
    }
    call = Call(
        operation="ConverseStream",
        request=request,
        identity=Identity("aws", "dev", "eu-west-1", epoch=2),
        model_id="m",
        user="ana",
        parent_id="p",
        tags=MappingProxyType({"page": "playground"}),
    )
    run = Run(
        id="r1",
        call=call,
        started_at=datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC),
        state="failed",
        latency_ms=12.5,
        events=(RunEvent(0.25, "contentBlockDelta", {"delta": {"text": "a"}, "contentBlockIndex": 0}),),
        response={"output": {"message": {"role": "assistant", "content": [{"redacted": b"\x00\x01"}]}}},
        metadata={"RequestId": "q", "at": datetime(2026, 1, 1, tzinfo=UTC).isoformat()},
        usage=TokenUsage(1, 2, 3, 4, 5),
        stop_reason="end_turn",
        ttft_ms=1.0,
        service_latency_ms=10,
        cost_usd=0.00001,
        problem=Problem(
            code="C", title="t", cause="c", fix="f", action="retry", iam_statement={"Effect": "Allow"}
        ),
        request_id="q",
        shared=True,
    )
    return replace(run, **changes)


def same(left: Run, right: Run) -> bool:
    """Equal, whatever kind of mapping the tags are."""
    return replace(left, call=replace(left.call, tags=dict(left.call.tags))) == right


def test_a_run_comes_back_as_it_was() -> None:
    assert same(a_run(), from_json(to_json(a_run())))


def test_an_almost_empty_run_comes_back_as_it_was() -> None:
    call = Call(operation="Converse", request={}, identity=Identity("local", None, "us-east-1"))
    run = Run(id=new_id(), call=call, started_at=datetime.now(UTC), state="done", latency_ms=1)
    assert from_json(to_json(run)) == run


@pytest.mark.parametrize(
    "value",
    [
        {"$bytes": "not bytes, but a member that has this name"},
        {"$plain": {"$bytes": "AAAA"}},
        {"$unparsed": '{"cut": '},
        {"$utf16": 1},
        {"a": [1, 2.5, None, True, "ü", {"$x": b"\x00"}]},
        "half an emoji \ud83d and a null \x00",
        b"",
        {},
        [],
        1e300,
        -0.0,
        2**60,
    ],
)
def test_every_value_that_can_stand_in_a_request_comes_back(value: Any) -> None:
    run = a_run(call=replace(a_run().call, request={"value": value}))
    assert from_json(to_json(run)).call.request == {"value": value}


def test_the_text_is_plain_ascii_json() -> None:
    """Any database, file and clipboard takes it."""
    text = to_json(a_run(response={"text": "half \ud83d emoji, ü, \x00"}))
    assert text.isascii()
    json.loads(text)


def test_big_binaries_can_be_kept_elsewhere_and_small_ones_stay() -> None:
    kept: dict[str, bytes] = {}

    def put(data: bytes) -> dict[str, Any]:
        if len(data) == 2:
            return inline(data)
        kept[str(len(kept))] = data
        return {"$ref": str(len(kept) - 1)}

    text = to_json(a_run(), put=put)
    assert list(kept.values()) == [b"\x89PNG\x00\xff"]
    assert same(a_run(), from_json(text, get=lambda reference: kept[reference["$ref"]]))


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(to_json(a_run()))
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a run"),
        ('{"a": 1}', "not a run"),
        (broken(lambda d: d.update(version=2)), "format version 2"),
        (broken(lambda d: d.update(run=None)), "run: "),
        (broken(lambda d: d["run"].pop("call")), "run.call: Field required"),
        (broken(lambda d: d["run"].update(extra=1)), "run.extra: "),
        (broken(lambda d: d["run"]["call"].update(evil=1)), "run.call.evil: "),
        (broken(lambda d: d["run"]["problem"].update(evil=1)), "run.problem.evil: "),
        (broken(lambda d: d["run"]["usage"].update(input_tokens="1")), "run.usage.input_tokens: "),
        (broken(lambda d: d["run"].update(state="won")), "run.state: "),
        (broken(lambda d: d["run"].update(started_at="yesterday")), "run.started_at: "),
        (broken(lambda d: d["run"]["events"].append([])), "run.events.1: "),
        (broken(lambda d: d["run"]["call"].update(tags={"a": 1})), "run.call.tags.a: "),
        (broken(lambda d: d["run"].update(response={"a": {"$bytes": "!"}})), "cannot be read"),
        (broken(lambda d: d["run"].update(response={"a": {"$sha256": "00"}})), "cannot be read"),
        (broken(lambda d: d["run"].update(response={"a": {"$utf16": "AA=="}})), "cannot be read"),
    ],
)
def test_what_is_no_run_is_refused_with_one_clear_sentence(text: str, says: str) -> None:
    with pytest.raises(RunFormatError) as refused:
        from_json(text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_ids_are_unique_and_safe_in_a_link() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(each.isalnum() for each in ids)


def test_the_total_of_a_usage_adds_the_disjoint_counts() -> None:
    assert TokenUsage(1, 2, 3, 4, cache_write_1h_tokens=4).total_tokens == 10
