"""Stop sequences in a stream of text."""

from __future__ import annotations


class StopScanner:
    """Lets text through up to the first stop sequence, holding back what may yet become one."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.found: str | None = None
        """The sequence that was met; nothing comes out after it."""

    def feed(self, text: str) -> str:
        """What of the text so far can be shown."""
        if self.found is not None:
            return ""
        text = self._held + text
        cut = len(text)
        for stop in self._stops:
            at = text.find(stop)
            if 0 <= at < cut:
                cut, self.found = at, stop
        if self.found is not None:
            self._held = ""
            return text[:cut]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back, once no more text comes."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of ``text`` that is a beginning of ``stop``."""
    return next((n for n in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:n])), 0)
