"""What a pane can ask of its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.edits import Editing
from services.conversations import Settings, Turn
from services.tools import ToolResult


@dataclass(frozen=True)
class PaneActions:
    """What a pane can ask of its page."""

    choose_model: Callable[[str], None]
    change_settings: Editing[Settings]
    copy_settings_to_all: Callable[[], None]
    duplicate: Callable[[], None]
    clear: Callable[[], None]
    access: Callable[[], str]
    retry: Callable[[Turn], None]
    restart_backend: Callable[[], None]
    send: Callable[[str], None]
    send_again: Callable[[Turn], None]
    stop: Callable[[], None]
    edit: Callable[[int, str], None]
    fork: Callable[[int, str], None] | None = None
    remove: Callable[[], None] | None = None
    toggle_link: Callable[[], None] | None = None
    answer: Callable[[Sequence[ToolResult]], None] | None = None
