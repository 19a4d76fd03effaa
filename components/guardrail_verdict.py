"""The verdict of one check: blocked, masked or passed, why, where in the text, and what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from components.guardrail_highlight import diff_highlight, guardrail_highlight
from components.guardrail_state import details_button
from components.metrics_line import format_ms, format_usd
from components.problem_card import problem_card
from components.safe_markdown import plain
from services.guardrail_highlights import marks_of, segments, visible, word_diff
from services.guardrail_prices import cost_usd
from services.guardrail_reasons import UNIT_WORDS, Gauge, Rank, Reason, gauges_of, reasons_of
from services.guardrail_results import GuardrailResult, Outcome, result_of
from services.problems import Action
from services.runs import Run

_SHOWN_REASONS = 30
_WORDS: Mapping[tuple[Outcome, bool], str] = {
    ("blocked", True): "**Blocked.** The prompt would not reach the model.",
    ("blocked", False): "**Blocked.** The reply would not be shown.",
    ("masked", True): "**Masked.** The prompt would reach the model with parts of it masked.",
    ("masked", False): "**Masked.** The reply would be shown with parts of it masked.",
    ("passed", True): "**Passed.** The prompt would reach the model as it is.",
    ("passed", False): "**Passed.** The reply would be shown as it is.",
}
_BADGES = {"blocked": "red", "masked": "orange"}


def guardrail_verdict(run: Run, *, key: str, retries: Mapping[Action, Callable[[], None]]) -> None:
    """Draw the verdict in the container `key`."""
    with st.container(key=key, gap="small"):
        if run.problem:
            problem_card(run.problem, key=key, actions=retries, since=run.started_at.timestamp())
            details_button(run, key)
            return
        result, reasons = result_of(run), reasons_of(run)
        _outcome(result, run)
        _why(reasons)
        for gauge in gauges_of(reasons):
            _gauge(gauge)
        _text(result, reasons, key)
        _outputs(result, key)
        _near_misses(reasons)
        measures(run, result)
        details_button(run, key)


def outcome_words(result: GuardrailResult, run: Run) -> str:
    """The verdict in a sentence or two."""
    words = _WORDS.get((result.outcome, run.call.request.get("source") == "INPUT"), "**No answer.**")
    return f"{words} {plain(result.reason)}".strip()


def _outcome(result: GuardrailResult, run: Run) -> None:
    words = outcome_words(result, run)
    if result.outcome == "blocked":
        st.error(words, icon=":material/block:")
    elif result.outcome == "masked":
        st.warning(words, icon=":material/visibility_off:")
    else:
        st.success(words, icon=":material/check_circle:")


def _why(reasons: Sequence[Reason]) -> None:
    if acted := _ranked(reasons, "acted"):
        st.markdown("**Why**")
        _lines(acted)


def _lines(reasons: Sequence[Reason]) -> None:
    """One line for each thing that was found; a guardrail tells it once for each of its places."""
    counts = Counter(_line(reason) for reason in reasons)
    lines = [f"{line} × {count:,}" if count > 1 else line for line, count in counts.items()]
    st.markdown("\n".join(lines[:_SHOWN_REASONS]))
    if len(lines) > _SHOWN_REASONS:
        st.caption(f"And {len(lines) - _SHOWN_REASONS:,} more: Details has all of them.")


def _ranked(reasons: Sequence[Reason], rank: Rank) -> list[Reason]:
    return [reason for reason in reasons if reason.rank == rank]


def _line(reason: Reason) -> str:
    finding = reason.finding
    match = f" “{plain(visible(finding.match))}”" if finding.match else ""
    measure = f" → {plain(reason.measure)}" if reason.measure else ""
    done = f":{_BADGES.get(finding.action, 'gray')}-badge[{plain(finding.action)}]"
    return f"- {finding.policy} → {plain(finding.item)}{match}{measure} → {done}"


def _gauge(gauge: Gauge) -> None:
    against = "reaches" if gauge.passes else "is below"
    done = "blocked" if gauge.acted else "let through"
    words = f"score {gauge.score:.2f} {against} the threshold {gauge.threshold:.2f} → {done}"
    st.progress(min(max(gauge.score, 0.0), 1.0), text=f"{plain(gauge.name)}: {words}")


def _text(result: GuardrailResult, reasons: Sequence[Reason], key: str) -> None:
    found = [(one.finding.match, one.finding.item, one.tone) for one in reasons if one.rank != "clear"]
    marks = marks_of(result.text, found)
    guardrail_highlight(segments(result.text, marks), key=f"{key}_text", name="The text that was checked")
    places = {mark.label for mark in marks}
    if lost := [label for match, label, _ in found if match.strip() and label not in places]:
        st.caption(
            f"Not found in the text as the service quotes it: {plain(', '.join(dict.fromkeys(lost)))}."
        )


def _outputs(result: GuardrailResult, key: str) -> None:
    if not result.outputs:
        return
    output = "\n".join(result.outputs)
    if result.outcome == "masked":
        st.caption("What takes its place: what was taken out, and what was put in.")
        diff_highlight(word_diff(result.text, output), key=f"{key}_diff", name="The changes to the text")
    else:
        st.caption("What is said instead:")
        diff_highlight([("same", output)], key=f"{key}_output", name="What is said instead")


def _near_misses(reasons: Sequence[Reason]) -> None:
    near, clear = _ranked(reasons, "near"), _ranked(reasons, "clear")
    if near:
        with st.expander(
            f"Nearly: {len(near):,} found, nothing done", icon=":material/near_me:", type="compact"
        ):
            _lines(near)
    if clear:
        with st.expander(
            f"Looked for and not found: {len(clear)}", icon=":material/search_off:", type="compact"
        ):
            lines = dict.fromkeys(
                f"- {one.finding.policy} → {plain(one.finding.item)}"
                + (f" → {plain(one.measure)}" if one.measure else "")
                for one in clear
            )
            st.markdown("\n".join(list(lines)[:_SHOWN_REASONS]))
            if len(lines) > _SHOWN_REASONS:
                st.caption(f"And {len(lines) - _SHOWN_REASONS} more: Details has all of them.")


def measures(run: Run, result: GuardrailResult) -> None:
    """Draw in one line how long the check took, what was counted and covered, and what it costs."""
    own = "" if result.latency_ms is None else f"guardrail {format_ms(result.latency_ms)} of "
    parts = [f"{own}{format_ms(run.latency_ms)} in total"]
    if result.units:
        counts = ", ".join(f"{UNIT_WORDS.get(name, name)} {count}" for name, count in result.units.items())
        parts.append(f"text units: {plain(counts)}")
    characters = result.coverage.get("textCharacters") or {}
    if "total" in characters:
        parts.append(f"{characters.get('guarded', 0):,} of {characters['total']:,} characters checked")
    cost = cost_usd(run.call.identity, result.units)
    parts.append("unpriced" if cost is None else plain(format_usd(cost)))
    st.caption(
        " · ".join(parts),
        help="AWS charges for each policy by text units, of up to 1,000 characters. No price list that is "
        "kept up has these prices: a check on AWS is unpriced unless yours are in `prices.toml`, under "
        "`[guardrails]`. The local endpoint is free.",
    )
