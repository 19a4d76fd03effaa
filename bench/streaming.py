"""How much later a token is on the page than in a bare boto3 loop, and whether panes wait for each other."""

from __future__ import annotations

import statistics
from typing import Any

from playwright.sync_api import Browser

from bench import playground
from bench.raw import RawReader
from bench.report import Row, percentile

PANES = 3
WAIT_S = 0.2
LONG = f"tokens=400 rate=100 wait={WAIT_S}"
SHORT = f"tokens=20 rate=100 wait={WAIT_S}"
UNEVEN = f"tokens=100 rate=100 wait={WAIT_S} spread=0.5"
UNEVEN_WORDS = 100 + 150 + 200
ROUNDS = 7


def measure(browser: Browser, app_url: str, server_url: str) -> list[Row]:
    """Rows on streaming; the app at `app_url` calls the bench's Bedrock at `server_url`."""
    page = Panes(browser, app_url, server_url)
    raw = RawReader(server_url)
    page.turn(SHORT, 20 * PANES)  # what only a first reply loads is not what is measured here
    rows = [*delay(page, raw), *first_token(page, raw), *side_by_side(page, raw)]
    page.close()
    return rows


class Panes:
    """The playground with its panes, and what the bench's Bedrock has sent to it."""

    def __init__(self, browser: Browser, app_url: str, server_url: str) -> None:
        self._server_url = server_url
        self._page = playground.open_playground(browser, app_url)
        playground.set_panes(self._page, PANES)
        playground.watch(self._page)
        self.pressed = 0.0
        self.streams: list[dict[str, Any]] = []
        self.shown: dict[tuple[int, int], float] = {}

    def turn(self, prompt: str, words: int) -> None:
        """One prompt in all panes, to its end; `pressed`, `streams` and `shown` then tell of this turn."""
        streams, seen = len(playground.streams(self._server_url)), len(playground.seen(self._page))
        self.pressed = playground.ask(self._page, prompt)
        playground.wait_for_words(self._page, seen + words)
        self.shown = playground.seen(self._page)
        self.streams = playground.streams(self._server_url)[streams:]

    @property
    def first_word_ms(self) -> float:
        """From Enter to the first word in any pane."""
        return 1000 * (min(self.shown[stream["number"], 0] for stream in self.streams) - self.pressed)

    def new_chat(self) -> None:
        """Empties the panes."""
        playground.new_chat(self._page)

    def close(self) -> None:
        """Closes the tab."""
        self._page.context.close()


def delay(page: Panes, raw: RawReader) -> list[Row]:
    """From a word being sent to it being on the page."""
    page.new_chat()
    page.turn(LONG, 400 * PANES)
    page_ms = [
        1000 * (page.shown[stream["number"], index] - sent)
        for stream in page.streams
        for index, sent in enumerate(stream["sent"])
    ]
    raw_ms = raw.run(LONG, PANES).delays_ms
    return [
        Row(
            f"word sent -> on the page, {PANES} panes at 100/s, p{percent}",
            f"{percentile(page_ms, percent):.1f} ms",
            f"boto3 loop {percentile(raw_ms, percent):.1f} ms",
            f"{percentile(page_ms, percent) - percentile(raw_ms, percent):+.1f} ms",
            limit,
        )
        for percent, limit in ((50, "+34 ms"), (95, "+58 ms"))
    ]


def first_token(page: Panes, raw: RawReader) -> list[Row]:
    """From Enter to the first word on the page: in empty panes, and below a conversation."""
    bare_ms = [raw.run(SHORT, 1).first_ms for _ in range(ROUNDS)]
    fresh_ms, later_ms = [], []
    for _ in range(ROUNDS):
        page.new_chat()
        page.turn(SHORT, 20 * PANES)
        fresh_ms.append(page.first_word_ms)
    for _ in range(ROUNDS):
        page.turn(SHORT, 20 * PANES)
        later_ms.append(page.first_word_ms)
    bare = statistics.median(bare_ms)
    return [
        Row(
            f"Enter -> first word (the model takes {1000 * WAIT_S:.0f} ms), {where}, median",
            f"{statistics.median(found):.0f} ms",
            f"boto3 loop {bare:.0f} ms",
            f"x{statistics.median(found) / bare:.2f} ({statistics.median(found) - bare:+.0f} ms)",
        )
        for where, found in (("new chat", fresh_ms), (f"turns 2 to {ROUNDS + 1}", later_ms))
    ]


def side_by_side(page: Panes, raw: RawReader) -> list[Row]:
    """Whether panes with replies of unequal length wait for each other."""
    page.new_chat()
    while (page.streams[-1]["number"] + 1) % 3:  # of three requests in a row one is 1, one 1.5, one 2 long
        page.streams = [{"number": page.streams[-1]["number"] + 1}]
        raw.run("tokens=1", 1)
    page.turn(UNEVEN, UNEVEN_WORDS)
    last_seen = max(page.shown[stream["number"], len(stream["sent"]) - 1] for stream in page.streams)
    wall_s = last_seen - page.pressed
    slowest_s = max(stream["sent"][-1] - stream["received"] for stream in page.streams)
    received = [stream["received"] for stream in page.streams]
    return [
        Row(
            f"Enter -> last word, {PANES} panes of unequal length",
            f"{wall_s:.2f} s",
            f"slowest reply {slowest_s:.2f} s",
            f"x{wall_s / slowest_s:.2f}",
        ),
        Row("panes start apart", f"{1000 * (max(received) - min(received)):.0f} ms", "", "", "300 ms"),
    ]
