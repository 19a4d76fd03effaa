"""The parameters of one pane: bounded by the model, empty meaning "not sent"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from components.edits import Editing
from components.shown import show
from services.capabilities import Bound, Capabilities
from services.conversations import Settings

_LABELS = {
    "maxTokens": "Maximum tokens",
    "temperature": "Temperature",
    "topP": "Top P",
    "topK": "Top K",
    "thinkingBudget": "Reasoning budget (tokens)",
}
_CHOICE_LABELS = {"effort": "Reasoning effort"}
_WHOLE = {"maxTokens", "topK", "thinkingBudget"}


def parameter_form(
    settings: Settings,
    capabilities: Capabilities,
    *,
    key: str,
    on_change: Editing[Settings],
) -> None:
    """Draw the form; every edit goes to `on_change`.

    The settings are the truth and the widgets show them, so nothing is lost on a page change. An empty number
    is not sent; the service then uses its own default.
    """
    _text_area(
        f"{key}_system",
        "System prompt",
        settings.system,
        lambda text: on_change(lambda now: replace(now, system=text)),
        help="Sent as `system`, before the conversation.",
    )
    names = [name for name in _LABELS if name in capabilities.bounds or name in capabilities.refused]
    if capabilities.reasoning is False:
        names = [name for name in names if name != "thinkingBudget"]
    columns = st.columns(2)
    for index, name in enumerate(names):
        with columns[index % 2]:
            _number(settings, name, capabilities, key, on_change)
    for name, words in capabilities.choices.items():
        _choice(settings, name, words, key, on_change)
    _stop_sequences(settings, capabilities, key, on_change)
    _text_area(
        f"{key}_additional_json",
        "Additional request fields (JSON)",
        settings.additional_json,
        lambda text: on_change(lambda now: replace(now, additional_json=text)),
        help="Sent as `additionalModelRequestFields`: what Converse itself has no name for.",
        placeholder='{"top_k": 50}',
    )


def clamp(settings: Settings, bounds: Mapping[str, Bound]) -> tuple[Settings, list[str]]:
    """The settings with every number inside another model's bounds, and a sentence for each one changed."""
    parameters = dict(settings.parameters)
    notes = []
    for name, value in settings.parameters.items():
        bound = bounds.get(name)
        if bound and not isinstance(value, str) and not bound.minimum <= value <= bound.maximum:
            parameters[name] = min(max(value, bound.minimum), bound.maximum)
            notes.append(
                f"{_LABELS.get(name, name)} {value:g} is out of range here: now {parameters[name]:g}."
            )
    return replace(settings, parameters=parameters), notes


def why_disabled(name: str, settings: Settings, capabilities: Capabilities) -> str:
    """Why a parameter cannot be set now; "" where it can."""
    if reason := capabilities.refused.get(name):
        return reason
    if name in settings.parameters:
        return ""
    for conflict in capabilities.conflicts:
        other = [n for n in conflict.names if n != name]
        if name in conflict.names and any(n in settings.parameters for n in other):
            return conflict.reason
    return ""


def _number(
    settings: Settings, name: str, capabilities: Capabilities, key: str, on_change: Editing[Settings]
) -> None:
    widget = f"{key}_{name}"
    bound = capabilities.bounds.get(name)
    disabled = why_disabled(name, settings, capabilities)
    kind = int if name in _WHOLE else float
    value = None if disabled else settings.parameters.get(name)
    show(widget, None if value is None else kind(value))
    st.number_input(
        _LABELS[name],
        min_value=kind(bound.minimum) if bound else None,
        max_value=kind(bound.maximum) if bound else None,
        value=None,
        step=kind(bound.step) if bound else kind(1),
        key=widget,
        placeholder="not sent",
        help=_help(name, bound),
        disabled=bool(disabled),
        on_change=lambda: on_change(lambda now: _with(now, name, st.session_state[widget])),
    )
    if disabled:
        st.caption(disabled)


def _choice(
    settings: Settings, name: str, words: tuple[str, ...], key: str, on_change: Editing[Settings]
) -> None:
    widget = f"{key}_{name}"
    value = settings.parameters.get(name)
    show(widget, value if value in words else None)
    st.selectbox(
        _CHOICE_LABELS.get(name, name),
        words,
        index=None,
        key=widget,
        placeholder="not sent",
        on_change=lambda: on_change(lambda now: _with(now, name, st.session_state[widget])),
    )


def _with(settings: Settings, name: str, value: float | str | None) -> Settings:
    """The settings with one parameter set, or with None taken out."""
    parameters = {k: v for k, v in settings.parameters.items() if k != name}
    if value is not None:
        parameters[name] = value
    return replace(settings, parameters=parameters)


def _help(name: str, bound: Bound | None) -> str:
    if bound is None:
        return f"`{name}`"
    default = f" Left empty, the service uses {bound.default:g}." if bound.default is not None else ""
    span = f"from {bound.minimum:g} to {bound.maximum:g}"
    return f"`{name}`, {span}. Empty means not sent, which is not 0.{default}"


def _stop_sequences(
    settings: Settings, capabilities: Capabilities, key: str, on_change: Editing[Settings]
) -> None:
    bound = capabilities.bounds.get("stopSequences")
    most = int(bound.maximum) if bound else None
    stop_sequences(
        f"{key}_stopSequences_{most}",  # with another limit it is another widget to Streamlit too
        settings.stop_sequences,
        most,
        lambda sequences: on_change(lambda now: replace(now, stop_sequences=sequences)),
    )


def stop_sequences(
    key: str, value: Sequence[str], most: int | None, changed: Callable[[tuple[str, ...]], None]
) -> None:
    """Draw the field for stop sequences, at most so many."""
    show(key, list(value), [])
    st.multiselect(
        "Stop sequences",
        list(value),
        key=key,
        accept_new_options=True,
        max_selections=most,
        placeholder="not sent: type one and press Enter",
        on_change=lambda: changed(tuple(st.session_state[key])),
    )


def _text_area(
    widget: str,
    label: str,
    value: str,
    on_change: Callable[[str], None],
    *,
    help: str,
    placeholder: str = "not sent",
) -> None:
    show(widget, value, "")
    st.text_area(
        label,
        key=widget,
        height=80,
        placeholder=placeholder,
        help=help,
        on_change=lambda: on_change(st.session_state[widget] or ""),
    )
