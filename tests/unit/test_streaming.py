"""ReplyStream and StreamHub, with a source that the test advances by hand."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from services import streaming
from services.clients import Identity
from services.problems import Problem
from services.runs import Call, Run
from services.runtime import Opened
from services.streaming import Block, ReplyStream, StreamHub

Event = tuple[str, dict[str, Any]]
LOCAL = Identity("local", "localbedrock", "us-east-1")


def text(piece: str, index: int = 0) -> Event:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": {"text": piece}}


def reasoning(piece: str, index: int = 0) -> Event:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": {"reasoningContent": {"text": piece}}}


def tool_start(name: str, index: int) -> Event:
    start = {"toolUse": {"toolUseId": f"id-{name}", "name": name}}
    return "contentBlockStart", {"contentBlockIndex": index, "start": start}


def tool_input(piece: str, index: int) -> Event:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}


def stop(index: int = 0) -> Event:
    return "contentBlockStop", {"contentBlockIndex": index}


END: Event = ("messageStop", {"stopReason": "end_turn"})
USAGE: Event = (
    "metadata",
    {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {"latencyMs": 7}},
)


class Source:
    """A call whose events come when the test says so."""

    def __init__(self, *events: Event | Exception) -> None:
        self._events = events
        self._go = threading.Semaphore(0)
        self.closed_in: list[str] = []
        self.aborted = threading.Event()

    def open(self, call: Call) -> Opened:
        return Opened({"RequestId": "r-1"}, self._play(), time.perf_counter(), self._close, self.aborted.set)

    def release(self, count: int = 1) -> None:
        self._go.release(count)

    def release_all(self) -> Source:
        self._go.release(len(self._events) + 1)
        return self

    def _play(self) -> Iterator[Event]:
        for event in self._events:
            self._go.acquire()
            if isinstance(event, Exception):
                raise event
            yield event
        self._go.acquire()

    def _close(self) -> None:
        self.closed_in.append(threading.current_thread().name)


Start = Callable[..., ReplyStream]


def call(operation: str = "ConverseStream") -> Call:
    return Call(
        operation=operation, request={"modelId": "m", "messages": []}, identity=LOCAL, model_id="local.m"
    )


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts a ReplyStream on a source."""

    def begin(source: Source, operation: str = "ConverseStream", **options: Any) -> ReplyStream:
        monkeypatch.setattr(streaming, "open_call", source.open)
        return ReplyStream(call(operation), **options)

    return begin


def until(condition: Callable[[], object], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def finish(stream: ReplyStream) -> None:
    until(lambda: stream.finished)


def opened(stream: ReplyStream) -> None:
    until(lambda: stream.run().metadata)


def followed(stream: ReplyStream) -> list[tuple[str, str]]:
    return [(block.kind, "".join(block.follow())) for block in stream.blocks()]


def first(stream: ReplyStream) -> Block:
    return next(stream.blocks())


def test_a_follower_gets_what_was_there_and_then_what_comes(start: Start) -> None:
    source = Source(text("a"), text("b"), END)
    stream = start(source)
    source.release()
    follower = first(stream).follow()
    assert next(follower) == "a"
    source.release()
    assert next(follower) == "b"
    source.release(2)
    assert list(follower) == []
    assert followed(stream) == [("text", "ab")], "a later rerun replays it all"
    assert source.closed_in == [f"reply-{stream.id}"]


def test_many_followers_all_get_everything(start: Start) -> None:
    """Several browser tabs and reruns may follow one stream at once."""
    source = Source(*(text(f"{n} ") for n in range(200)), END)
    stream = start(source)
    results: list[list[tuple[str, str]]] = []
    threads = [threading.Thread(target=lambda: results.append(followed(stream))) for _ in range(8)]
    for thread in threads:
        thread.start()
    source.release_all()
    for thread in threads:
        thread.join(10)
    assert results == [[("text", "".join(f"{n} " for n in range(200)))]] * 8


def test_the_first_batch_leaves_at_once_and_the_next_ones_by_the_clock(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time to first token must not wait for the batch clock, and the browser must not drown."""
    monkeypatch.setattr(streaming, "FLUSH_S", 0.4)  # 50 ms in earnest; a busy machine needs more room
    source = Source(*(text("x") for _ in range(100)), END)
    stream = start(source)
    source.release()
    until(lambda: stream.run().ttft_ms)
    began = time.monotonic()
    follower = first(stream).follow()
    assert next(follower) == "x"
    assert time.monotonic() - began < 0.2
    source.release(99)
    until(lambda: len(first(stream).text) == 100)
    assert next(follower) == "x" * 99, "everything that came in the meantime is one batch"
    assert time.monotonic() - began >= 0.4
    source.release(2)


def test_the_batch_clock_does_not_hold_up_the_end(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "FLUSH_S", 60)
    source = Source(text("a"), text("b"), END)
    stream = start(source)
    source.release()
    follower = first(stream).follow()
    assert next(follower) == "a"
    source.release(3)
    assert list(follower) == ["b"]


def test_a_waiting_follower_wakes_up_for_the_checkpoint(start: Start) -> None:
    """Streamlit can only interrupt a script that comes by: an idle pane must not block a click."""
    stream = start(Source(text("never")))
    began = time.monotonic()

    class RerunError(Exception):
        pass

    calls: list[float] = []

    def checkpoint() -> None:
        calls.append(time.monotonic())
        if len(calls) == 3:
            raise RerunError

    with pytest.raises(RerunError):
        next(stream.blocks(checkpoint))
    assert calls[-1] - began < 1
    assert stream.live
    stream.stop()


def test_the_checkpoint_also_runs_while_following_a_block(start: Start) -> None:
    source = Source(text("a"), text("b"))
    stream = start(source)
    source.release()
    block = first(stream)
    calls: list[int] = []
    follower = block.follow(lambda: calls.append(1))
    assert next(follower) == "a"
    source.release()
    assert next(follower) == "b"
    assert len(calls) >= 2
    stream.stop()


def test_stop_ends_followers_at_once_although_the_source_hangs(start: Start) -> None:
    source = Source(text("a"), text("never"))
    stream = start(source)
    source.release()
    block = first(stream)
    follower = block.follow()
    assert next(follower) == "a"
    began = time.monotonic()
    stream.stop()
    assert list(follower) == []
    assert time.monotonic() - began < 0.2
    assert stream.stopped
    assert not stream.live
    assert not stream.finished, "the worker still hangs, and nobody waits for it"
    assert source.aborted.is_set(), "the connection is broken so that the model stops"
    run = stream.run()
    assert run.state == "stopped"
    assert run.response == {"output": {"message": {"role": "assistant", "content": [{"text": "a"}]}}}
    source.release()
    until(lambda: stream.finished)
    assert stream.run().state == "stopped"
    assert followed(stream) == [("text", "a")], "what comes after the stop is not shown"


def test_stop_before_the_connection_is_there_closes_it_unread(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stop during the wait for the first byte: the worker must not sit down to read afterwards."""
    source, gate = Source(text("never")), threading.Event()

    def slow_open(call: Call) -> Opened:
        assert gate.wait(5)
        return source.open(call)

    monkeypatch.setattr(streaming, "open_call", slow_open)
    stream = ReplyStream(call())
    stream.stop()
    assert followed(stream) == []
    gate.set()
    until(lambda: stream.finished)
    assert source.closed_in == [f"reply-{stream.id}"]
    assert stream.run().state == "stopped"
    assert stream.run().response is None


def test_stop_after_the_end_changes_nothing(start: Start) -> None:
    stream = start(Source(text("a"), END).release_all())
    until(lambda: stream.finished)
    stream.stop()
    assert not stream.stopped
    assert stream.run().state == "done"


def test_the_source_is_closed_in_its_own_thread_even_when_it_fails(start: Start) -> None:
    source = Source(text("a"), RuntimeError("boom")).release_all()
    stream = start(source)
    until(lambda: stream.finished)
    assert source.closed_in == [f"reply-{stream.id}"]


def test_a_failure_midway_keeps_the_text_and_the_problem(start: Start) -> None:
    stream = start(Source(text("half a "), text("sent"), RuntimeError("boom")).release_all())
    assert followed(stream) == [("text", "half a sent")]
    until(lambda: stream.finished)
    run = stream.run()
    assert run.state == "failed"
    assert run.problem is not None
    assert run.problem.code == "RuntimeError"
    assert run.response == {
        "output": {"message": {"role": "assistant", "content": [{"text": "half a sent"}]}}
    }
    assert run.usage is None
    assert run.cost_usd is None


def test_a_call_that_cannot_be_made_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Call) -> Opened:
        raise ValueError("no")

    monkeypatch.setattr(streaming, "open_call", refuse)
    stream = ReplyStream(call())
    assert followed(stream) == []
    until(lambda: stream.finished)
    assert (stream.run().state, stream.run().response) == ("failed", None)
    assert stream.run().problem is not None


def test_blocks_come_in_the_order_in_which_they_appear(start: Start) -> None:
    """Reasoning, text, tool and reasoning again, as models with interleaved thinking send them."""
    events = (
        reasoning("hm", 0),
        stop(0),
        text("Let me ", 1),
        text("look.", 1),
        stop(1),
        tool_start("search", 2),
        tool_input('{"q"', 2),
        tool_input(":1}", 2),
        stop(2),
        reasoning("so", 3),
        stop(3),
        END,
        USAGE,
    )
    stream = start(Source(*events).release_all())
    assert followed(stream) == [
        ("reasoning", "hm"),
        ("text", "Let me look."),
        ("tool", '{"q":1}'),
        ("reasoning", "so"),
    ]
    blocks = list(stream.blocks())
    assert [block.index for block in blocks] == [0, 1, 2, 3]
    assert blocks[2].start == {"toolUse": {"toolUseId": "id-search", "name": "search"}}
    assert all(block.ended for block in blocks)


def test_a_block_ends_with_its_stop_and_not_with_the_stream(start: Start) -> None:
    """The pane must go on to the answer when the reasoning is over."""
    source = Source(reasoning("hm", 0), stop(0), text("a", 1))
    stream = start(source)
    source.release(2)
    assert "".join(first(stream).follow()) == "hm"
    assert stream.live
    stream.stop()


def test_another_kind_under_the_same_index_is_another_block(start: Start) -> None:
    """Some models send reasoning and text under index 0."""
    stream = start(Source(reasoning("hm"), text("a"), END).release_all())
    assert followed(stream) == [("reasoning", "hm"), ("text", "a")]


def test_empty_deltas_make_no_block(start: Start) -> None:
    """gpt-oss opens with an empty text block before its reasoning."""
    stream = start(Source(text("", 0), reasoning("hm", 1), text("", 2), text("a", 2), END).release_all())
    assert followed(stream) == [("reasoning", "hm"), ("text", "a")]
    until(lambda: stream.finished)
    assert stream.run().ttft_ms == stream.run().events[1].at_ms, "an empty delta is no token"


def test_a_call_that_does_not_stream_goes_the_same_way(start: Start) -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
        {"text": "ja"},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"ä": 1}}},
    ]
    answer = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 9},
    }
    stream = start(Source(("response", answer)).release_all(), "Converse")
    assert followed(stream) == [("reasoning", "hm"), ("text", "ja"), ("tool", '{"ä": 1}')]
    until(lambda: stream.finished)
    run = stream.run()
    assert run.response == answer
    assert run.ttft_ms is None
    assert (run.stop_reason, run.service_latency_ms) == ("tool_use", 9)


def test_the_final_run_has_times_usage_and_price(start: Start) -> None:
    stream = start(Source(text("a"), text("b"), END, USAGE).release_all())
    until(lambda: stream.finished)
    run = stream.run()
    assert (run.state, run.stop_reason, run.service_latency_ms, run.request_id) == (
        "done",
        "end_turn",
        7,
        "r-1",
    )
    assert run.usage is not None
    assert (run.usage.input_tokens, run.usage.output_tokens) == (3, 2)
    assert run.cost_usd == 0, "the local backend costs nothing, and says so"
    assert [event.at_ms for event in run.events] == sorted(event.at_ms for event in run.events)
    assert run.ttft_ms == run.events[0].at_ms
    assert run.latency_ms >= run.events[-1].at_ms
    assert run.id == stream.id


def test_a_snapshot_of_a_live_stream_is_running(start: Start) -> None:
    source = Source(text("a"), text("b"), END)
    stream = start(source)
    source.release()
    until(lambda: list(stream.run().events))
    run = stream.run()
    assert (run.state, run.problem) == ("running", None)
    assert run.response == {"output": {"message": {"role": "assistant", "content": [{"text": "a"}]}}}
    stream.stop()


def test_on_end_gets_the_final_run_once_in_the_worker(start: Start) -> None:
    got: list[tuple[Run, str]] = []

    def on_end(run: Run) -> None:
        got.append((run, threading.current_thread().name))

    stream = start(Source(text("a"), END).release_all(), on_end=on_end)
    until(lambda: got)
    assert got == [(stream.run(), f"reply-{stream.id}")]


def test_stop_and_end_at_the_same_moment_agree(start: Start) -> None:
    """Whoever comes first decides; the run and the stream must say the same."""
    for _ in range(50):
        stream = start(Source(text("a"), END).release_all())
        stream.stop()
        finish(stream)
        assert stream.run().state == ("stopped" if stream.stopped else "done")


def test_a_gigantic_delta_arrives_whole(start: Start) -> None:
    stream = start(Source(text("x" * 5_000_000), text("y"), END).release_all())
    assert followed(stream) == [("text", "x" * 5_000_000 + "y")]


def test_long_replies_cost_linear_time_and_little_memory(start: Start) -> None:
    """20,000 pieces: joining the text again at every piece would take minutes and gigabytes."""
    pieces = 20_000
    gc.collect()
    tracemalloc.start()
    began = time.monotonic()
    try:
        stream = start(Source(*(text("word ") for _ in range(pieces)), END).release_all())
        assert followed(stream) == [("text", "word " * pieces)]
        until(lambda: stream.finished, 60)
        assert len(stream.run().events) == pieces + 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 20
    assert peak < 60_000_000


def test_a_stream_without_end_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint gone wild must not take the memory of everybody's server."""
    monkeypatch.setattr(streaming, "MAX_BYTES", 100_000)
    source = Source(*(text("x" * 1000) for _ in range(1000))).release_all()
    stream = start(source)
    finish(stream)
    run = stream.run()
    assert run.state == "failed"
    assert run.problem is not None
    assert run.problem.code == "ReplyTooLarge"
    assert len(run.events) < 100
    assert source.closed_in


# StreamHub


@pytest.fixture
def hub() -> StreamHub:
    return StreamHub(save=lambda run: None)


def test_a_hub_replaces_and_stops(hub: StreamHub, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(text("never"))
    monkeypatch.setattr(streaming, "open_call", source.open)
    old = hub.start("pane", call())
    new = hub.start("pane", call())
    other = hub.start("other", call())
    assert old.stopped
    assert hub.streams == {"pane": new, "other": other}
    hub.stop_all()
    assert new.stopped
    assert other.stopped


def test_a_hub_settles_once_after_the_last_reply(hub: StreamHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """One redraw after the last pane ends, not one per pane."""
    assert not hub.settle(), "nothing has run yet"
    sources = [Source(text("a"), END), Source(text("b"), END)]
    streams = []
    for number, source in enumerate(sources):
        monkeypatch.setattr(streaming, "open_call", source.open)
        streams.append(hub.start(str(number), call()))
        opened(streams[-1])
    sources[0].release_all()
    streams[0].wait(5)
    assert not hub.settle()
    sources[1].release_all()
    streams[1].wait(5)
    assert [hub.settle() for _ in range(3)] == [True, False, False]


def test_a_hub_stores_each_run_and_keeps_the_stores_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails must not take the reply away."""
    problem = Problem(code="RunNotStored", title="t", cause="c", fix="f")
    saved: list[Run] = []

    def save(run: Run) -> Problem | None:
        saved.append(run)
        return problem

    hub = StreamHub(save=save)
    monkeypatch.setattr(streaming, "open_call", Source(text("a"), END).release_all().open)
    stream = hub.start("pane", call())
    until(lambda: hub.store_problem)
    assert saved == [stream.run()]
    assert hub.store_problem is problem
    assert followed(stream) == [("text", "a")]
