"""The model picker: the live catalogue, searchable, and any pasted ID or ARN."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from components.shown import show
from services.models import Catalogue, Model


def model_picker(
    catalogue: Catalogue,
    selected: Model | None,
    *,
    key: str,
    on_change: Callable[[], None],
) -> None:
    """Draw the picker; `on_change` reads the chosen or pasted ID from `st.session_state[key]`.

    Chat models only. What AWS lists but refuses by this ID stands last, marked, so that a search finds it and
    the page can name the profile to use.
    """
    chat = [model for model in catalogue.models if model.can_chat]
    ordered = [model for model in chat if model.callable] + [model for model in chat if not model.callable]
    labels = {model.model_id: _line(model) for model in ordered}
    if selected and selected.model_id not in labels:
        labels = {selected.model_id: _line(selected), **labels}
    show(key, selected.model_id if selected else None)
    st.selectbox(
        "Model",
        list(labels),
        format_func=lambda model_id: labels.get(model_id, model_id),
        key=key,
        index=0 if selected else None,  # a choice cannot be cleared, only changed
        placeholder="Choose a model, or paste an ID or ARN",
        label_visibility="collapsed",
        accept_new_options=True,
        on_change=on_change,
    )


def model_facts(model: Model) -> str:
    """What a chooser wants to know about a model, as short Markdown lines."""
    capabilities = model.capabilities
    lines = [f"`{model.model_id}`", f"{model.provider} · {model.group}"]
    if model.destination_regions:
        lines.append("Runs in " + ", ".join(model.destination_regions))
    if capabilities.context_tokens:
        lines.append(f"Context {capabilities.context_tokens:,} tokens")
    if capabilities.max_output_tokens:
        lines.append(f"Answers up to {capabilities.max_output_tokens:,} tokens")
    if capabilities.input_modalities:
        lines.append("Takes " + ", ".join(sorted(capabilities.input_modalities, key=_text_first)).lower())
    lines.append(price_line(model))
    if model.lifecycle != "ACTIVE":
        end = f", ends {model.end_of_life:%d %b %Y}" if model.end_of_life else ""
        lines.append(f"Lifecycle: {model.lifecycle.lower()}{end}")
    if model.access == "not_available":
        lines.append(f"No access: {model.access_reason}")
    return "  \n".join(line.replace("$", "\\$") for line in lines)


def price_line(model: Model) -> str:
    """The price of a model in words, with its source; "unpriced" where none is known."""
    price = model.price
    if price is None:
        return "Unpriced: no price is known for this model"
    when = f", {price.as_of:%d %b %Y}" if price.as_of else ""
    if not price.input_usd_per_mtok and not price.output_usd_per_mtok:
        return f"Free: {price.source}"
    amounts = f"${price.input_usd_per_mtok:g} in, ${price.output_usd_per_mtok:g} out per 1M tokens"
    return f"{amounts} ({price.source}{when})"


def _text_first(modality: str) -> tuple[bool, str]:
    return modality != "TEXT", modality


def _line(model: Model) -> str:
    return model.label if model.callable else f"{model.label} (not by this ID)"
