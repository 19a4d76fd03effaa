"""The guardrail that is being edited: it outlives reruns, errors and page changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import streamlit as st

from services import guardrail_editor
from services.clients import Identity
from services.guardrail_configuration import Configuration, Item
from services.guardrail_rows import columns, rows_of
from services.problems import Problem

_DRAFTS = "guardrail_editor_drafts"
_NEW = Configuration(
    name="my-guardrail",
    blocked_input_messaging="Sorry, I cannot answer this question.",
    blocked_outputs_messaging="Sorry, I cannot answer this question.",
)


@dataclass
class Table:
    """What a table editor began with: it must stay the same while its edits are applied to it."""

    items: tuple[Item, ...]
    frame: pd.DataFrame


@dataclass
class Draft:
    """One guardrail as it is edited. `saved` is what AWS had when editing began; another `edition` is
    another set of tables. `seed` makes the tokens: a repeated click makes nothing twice.
    """

    identifier: str
    saved: Configuration
    now: Configuration
    seed: str = field(default_factory=guardrail_editor.new_seed)
    edition: str = field(default_factory=guardrail_editor.new_seed)
    tables: dict[str, Table] = field(default_factory=dict)
    said: str = ""
    fault: str = ""
    problem: Problem | None = None
    confirm: str | None = None
    """What is about to be deleted: a version's number, or "" for everything; None for nothing."""

    @property
    def changed(self) -> bool:
        """Whether there is something that AWS does not have."""
        return self.now != self.saved

    def take(self, configuration: Configuration) -> None:
        """Put a configuration into the editor, from elsewhere than its widgets."""
        self.now = configuration
        self.edition = guardrail_editor.new_seed()
        self.tables = {}
        self.forget()

    def renew(self, configuration: Configuration) -> None:
        """Begin anew with what AWS has now; what was said about the last action stays."""
        self.now = self.saved = configuration
        self.edition = guardrail_editor.new_seed()
        self.tables = {}

    def change(self, **values: Any) -> None:
        """Change what is not edited in a table."""
        self.now = replace(self.now, **values)
        self.said = ""

    def forget(self) -> None:
        """Forget what was said about the last action."""
        self.said, self.fault, self.problem, self.confirm = "", "", None, None

    def table(self, field_name: str, key: str) -> Table:
        """What the editor with this key begins with."""
        if field_name not in self.tables or key not in st.session_state:
            # the section was left, and with it the editor's own memory of its edits
            items = self.now.items(field_name)
            self.tables[field_name] = Table(items, _frame(field_name, items))
        return self.tables[field_name]


def draft_of(identity: Identity, identifier: str) -> Draft:
    """The draft of a guardrail ("": of a new one) in this browser session. Raises GuardrailError."""
    drafts: dict[tuple[Identity, str], Draft] = st.session_state.setdefault(_DRAFTS, {})
    key = (identity, identifier)
    if not identifier:
        return drafts.setdefault(key, Draft("", _NEW, _NEW))
    if key in drafts and drafts[key].changed:
        return drafts[key]
    found = guardrail_editor.get(identity, identifier)
    there = found.configuration
    if key in drafts and not found.settled:
        return drafts[key]  # what was just saved may not be answered yet
    if key not in drafts:
        drafts[key] = Draft(identifier, there, there)
    elif drafts[key].saved != there:
        drafts[key].renew(there)
    return drafts[key]


def drop(identity: Identity, identifier: str) -> None:
    """Forget a draft: its guardrail is made, or gone."""
    st.session_state.get(_DRAFTS, {}).pop((identity, identifier), None)


def start_new(identity: Identity, configuration: Configuration) -> None:
    """Make this the draft of a new guardrail."""
    draft_of(identity, "").take(configuration)


def _frame(field_name: str, items: Sequence[Item]) -> pd.DataFrame:
    frame = pd.DataFrame(rows_of(field_name, items), columns=[each.field for each in columns(field_name)])
    kinds = {each.field: each.kind for each in columns(field_name)}
    texts = [name for name, kind in kinds.items() if kind not in ("texts", "number")]
    return frame.astype(dict.fromkeys(texts, "str") | {n: "float" for n, k in kinds.items() if k == "number"})
