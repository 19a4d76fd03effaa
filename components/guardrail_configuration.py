"""A guardrail's configuration in words: every policy, every item, and what happens on each side."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from components.problem_card import problem_card
from components.safe_markdown import plain
from services import guardrail_words
from services.clients import Identity
from services.guardrail_words import PolicyWords, Rule
from services.guardrails import GuardrailChoice

_LINES = 30
"""How many rules of a policy are written out; the others follow in a table."""


def guardrail_configuration(identity: Identity, choice: GuardrailChoice, *, key: str) -> None:
    """Draw what a version of a guardrail is set to do, or why that cannot be said."""
    found = guardrail_words.configuration(identity, choice.identifier, choice.version)
    if found.problem:
        problem_card(found.problem, key=f"{key}_problem")
        return
    about = [plain(found.name), f"version {plain(found.version)}", plain(found.status.lower())]
    st.markdown(" · ".join(part for part in about if part))
    if found.description:
        st.caption(plain(found.description))
    for reason in found.reasons:
        st.warning(plain(reason), icon=":material/warning:")
    if not found.policies:
        st.caption("It has no policy that this version knows: it lets everything through.")
    for policy in found.policies:
        _policy(policy)
    if found.blocked_prompt or found.blocked_reply:
        st.markdown(
            f"**Said instead** of a blocked prompt: “{plain(found.blocked_prompt)}”; of a blocked reply: "
            f"“{plain(found.blocked_reply)}”"
        )
    if found.unknown:
        st.caption("What else the service says, in its own words:")
        st.code(json.dumps(found.unknown, indent=2, ensure_ascii=False, default=str), language="json")


def _policy(policy: PolicyWords) -> None:
    tier = f" ({plain(policy.tier.lower())} tier)" if policy.tier else ""
    lines = "\n".join(_line(rule) for rule in policy.rules[:_LINES])
    st.markdown(f"**{policy.name}**{tier}\n{lines}")
    if rest := policy.rules[_LINES:]:
        rows = [
            {"item": r.item, "prompt": r.prompt, "reply": r.reply, "detail": r.detail, **r.more} for r in rest
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")


def _line(rule: Rule) -> str:
    sides = (
        f"prompt and reply: {plain(rule.prompt)}"
        if rule.prompt == rule.reply
        else f"prompt: {plain(rule.prompt)} · reply: {plain(rule.reply)}"
    )
    detail = f". {plain(rule.detail)}" if rule.detail else ""
    more = f" `{json.dumps(rule.more, default=str).replace('`', ' ')}`" if rule.more else ""
    return f"- {plain(rule.item)} → {sides}{detail}{more}"
