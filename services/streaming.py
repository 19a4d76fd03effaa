"""Replies that stream on in the background while Streamlit draws, reruns and leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from services.converse import BlockKind, block_kind
from services.problems import Problem
from services.recorder import Recorder
from services.run_store import keep
from services.runs import Call, Run, RunState
from services.runtime import Opened, open_call, problem_of

FLUSH_S = 0.04
"""Between two batches: 25 Hz is fast enough to read and slow enough for the browser."""
WAKE_S = 0.1
"""The longest wait between two checkpoints."""

MAX_BYTES = 256 * 1024 * 1024
"""A stream is ended when it holds about this much memory: far above any model's longest reply."""
EVENT_BYTES = 700
"""What an event of a stream takes beside its text."""

_TOO_LARGE = Problem(
    code="ReplyTooLarge",
    title="The reply is too large to go on",
    cause=f"It has filled {MAX_BYTES // 2**20} MB, more than any model's longest reply.",
    fix="What arrived is kept. Check what the endpoint sends, or set a lower maximum of output tokens.",
    action="edit_parameters",
)

Checkpoint = Callable[[], object]


def _no_checkpoint() -> None: ...


class Block:
    """One content block of a reply, growing while the reply streams. Any number of threads may follow it."""

    def __init__(
        self,
        index: int,
        kind: BlockKind,
        start: dict[str, Any],
        changed: threading.Condition,
        over: threading.Event,
    ) -> None:
        self.index = index
        """Position among the reply's blocks, from 0, in order of appearance."""
        self.kind = kind
        self.start = start
        """The payload of contentBlockStart, such as {"toolUse": {"toolUseId": ..., "name": ...}}, or {}."""
        self._pieces: list[str] = []
        self._whole = False
        self._changed = changed
        self._over = over

    @property
    def text(self) -> str:
        """What arrived so far; for a tool its input, as JSON text."""
        return "".join(self._pieces)

    @property
    def ended(self) -> bool:
        """True when nothing will be added."""
        return self._whole or self._over.is_set()

    def follow(self, checkpoint: Checkpoint = _no_checkpoint) -> Iterator[str]:
        """Replay the text so far, then batches at 25 Hz until the block ends or the stream is over.

        `checkpoint` runs on every wake-up, at least every 100 ms, so that its caller can be interrupted.
        """
        sent = 0
        while True:
            with self._changed:
                if sent == len(self._pieces) and not self.ended:
                    self._changed.wait(WAKE_S)
                ended = self.ended
                batch = self._pieces[sent:]
            checkpoint()
            if batch:
                sent += len(batch)
                yield "".join(batch)
                if not ended:
                    self._over.wait(FLUSH_S)
            elif ended:
                return

    def grow(self, text: str) -> None:
        """For the stream, which holds the lock."""
        self._pieces.append(text)

    def end(self) -> None:
        """For the stream, which holds the lock."""
        self._whole = True


class ReplyStream:
    """One call, pumped by a daemon thread into an append-only buffer.

    The thread never touches Streamlit. It alone reads the source and closes it. A call that does not stream
    goes the same way, with one event at its end.
    """

    def __init__(self, call: Call, *, on_end: Callable[[Run], None] | None = None) -> None:
        """Start at once. `on_end` gets the final run, in the stream's own thread, after the end."""
        self.call = call
        self._on_end = on_end
        self._recorder = Recorder(call)
        self.id = self._recorder.id
        self._blocks: list[Block] = []
        self._open_blocks: dict[int, Block] = {}
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._opened: Opened | None = None
        self._closing = self._stopped = False
        self._received_bytes = 0
        self._final: Run | None = None
        threading.Thread(target=self._work, name=f"reply-{self.id}", daemon=True).start()

    @property
    def live(self) -> bool:
        """True until the reply has ended or was stopped."""
        return not self._over.is_set()

    @property
    def finished(self) -> bool:
        """True when the thread is done; after a stop that may take as long as the source hangs."""
        return self._final is not None

    @property
    def stopped(self) -> bool:
        """True when the reply was stopped before its end."""
        return self._stopped

    def blocks(self, checkpoint: Checkpoint = _no_checkpoint) -> Iterator[Block]:
        """The blocks as they appear, from the first; ends with the stream. `checkpoint` as in `follow`."""
        seen = 0
        while True:
            with self._changed:
                if seen == len(self._blocks) and self.live:
                    self._changed.wait(WAKE_S)
                live = self.live
                new = self._blocks[seen:]
            checkpoint()
            yield from new
            seen += len(new)
            if not (new or live):
                return

    def run(self) -> Run:
        """The run as it stands: a snapshot in state `running` while live, `stopped` after a stop."""
        return self._final or self._recorder.run("stopped" if self._stopped else "running")

    def stop(self) -> None:
        """End the reply for everyone who follows it, and break the connection.

        Returns at once, also when the source hangs. What arrived is kept.
        """
        with self._changed:
            if self._closing or self._stopped:
                return
            self._stopped = True
            self._recorder.end()
            self._announce_end()
            opened = self._opened
        if opened:
            opened.abort()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the reply has ended or was stopped; False on timeout."""
        return self._over.wait(timeout_s)

    # The rest runs in the stream's own thread.

    def _work(self) -> None:
        try:
            problem = self._read()
        except Exception as error:  # noqa: BLE001 (whatever it is, it belongs on the card, not in a lost thread)
            problem = problem_of(error, self.call)
        run = self._end(problem)
        if self._on_end:
            self._on_end(run)

    def _read(self) -> Problem | None:
        opened = open_call(self.call)
        try:
            with self._changed:
                self._recorder.answered(opened.metadata, opened.sent_at)
                self._opened = opened
                if self._stopped:
                    return None
            for name, data in opened.events:
                if not self._append(name, data):
                    return None
                if self._received_bytes > MAX_BYTES:
                    return _TOO_LARGE
            return None
        finally:
            opened.close()

    def _append(self, name: str, data: dict[str, Any]) -> bool:
        """Record one event and tell the followers; False when the reply was stopped."""
        with self._changed:
            if self._stopped:
                return False
            self._received_bytes += EVENT_BYTES
            for event, payload in self._recorder.add(name, data):
                self._grow(event, payload)
            self._changed.notify_all()
        return True

    def _grow(self, name: str, data: dict[str, Any]) -> None:
        """Apply one contentBlock event. A block ends with its stop, or where another kind takes its index."""
        index = data.get("contentBlockIndex", 0)
        block = self._open_blocks.get(index)
        if name == "contentBlockStop":
            if block:
                block.end()
            return
        start, delta = data.get("start") or {}, data.get("delta") or {}
        kind, text = block_kind(start or delta), _text(delta)
        if block is None or block.kind != kind:
            if not (start or text):
                return
            if block:
                block.end()
            block = Block(len(self._blocks), kind, start, self._changed, self._over)
            self._open_blocks[index] = block
            self._blocks.append(block)
        if text:
            self._received_bytes += len(text)
            block.grow(text)

    def _end(self, problem: Problem | None) -> Run:
        with self._changed:
            self._closing = True
            self._recorder.end()
        state: RunState = "stopped" if self._stopped else "failed" if problem else "done"
        run = self._recorder.run(state, problem if state == "failed" else None)
        with self._changed:
            self._final = run
            self._announce_end()
        return run

    def _announce_end(self) -> None:
        self._over.set()
        self._changed.notify_all()


def _text(delta: dict[str, Any]) -> str:
    """What a delta adds to its block's text."""
    reasoning, tool = delta.get("reasoningContent") or {}, delta.get("toolUse") or {}
    return delta.get("text") or reasoning.get("text") or tool.get("input") or ""


class StreamHub:
    """The streams of one browser session, by key (a pane)."""

    def __init__(self, save: Callable[[Run], Problem | None] = keep) -> None:
        self.streams: dict[str, ReplyStream] = {}
        self.store_problem: Problem | None = None
        """Why the last run could not be stored; the reply itself is safe."""
        self._save = save
        self._lock = threading.Lock()
        self._settled = True

    def start(self, key: str, call: Call, *, then: Callable[[Run], None] | None = None) -> ReplyStream:
        """Start a call. A stream that still runs under the same key is stopped.

        `then` gets the final run, in the stream's own thread, after the run is stored.
        """

        def ended(run: Run) -> None:
            self._keep(run)
            if then:
                then(run)

        stream = ReplyStream(call, on_end=ended)
        with self._lock:
            old, self.streams[key] = self.streams.get(key), stream
            self._settled = False
        if old:
            old.stop()
        return stream

    def settle(self) -> bool:
        """True exactly once after the last live reply ended: time to redraw the page."""
        with self._lock:
            if self._settled or any(stream.live for stream in self.streams.values()):
                return False
            self._settled = True
            return True

    def stop_all(self) -> None:
        """Stop every live stream."""
        for stream in list(self.streams.values()):
            stream.stop()

    def _keep(self, run: Run) -> None:
        self.store_problem = self._save(run)
