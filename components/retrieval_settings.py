"""The form of a RAG chat's settings: how passages are found, and how the answer is written from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from components.edits import Edit, Editing
from components.filter_builder import filter_builder
from components.guardrail_and_cache import guardrail_form
from components.parameter_form import stop_sequences
from components.pick_or_paste import pick_or_paste
from components.safe_markdown import plain
from components.shown import show
from components.sidebar import current_identity
from services.citations import Source
from services.metadata_filter import Group, from_aws, suggested_keys, walk
from services.models import Model
from services.rag_settings import (
    DEFAULT_RESULTS,
    MOST_STOP_SEQUENCES,
    PARAMETERS,
    RESULTS,
    Limit,
    RagSettings,
    clamped,
)
from services.rag_templates import EXAMPLES, LONGEST, PLACEHOLDERS, template_advice, template_faults

_SEARCH_TYPES = {
    "": "Service's choice",
    "SEMANTIC": "Semantic: by meaning",
    "HYBRID": "Hybrid: by meaning and by words",
}
_PARAMETER_LABELS = {"temperature": "Temperature", "topP": "Top P", "maxTokens": "Maximum tokens"}

Change = Editing[RagSettings]


def retrieval_settings(
    settings: RagSettings,
    *,
    key: str,
    rerankers: Sequence[Model],
    change: Change,
    sources: Sequence[Source] = (),
) -> None:
    """Draw the form of the settings; every edit goes to `change`.

    Which knowledge base, mode and model are chosen elsewhere. `sources` are passages seen before: their
    metadata keys are offered for the filter. Nothing is sent that is not set.
    """
    settings = _within_limits(settings, key, change)

    def edit(changed: Edit[RagSettings]) -> None:
        st.session_state.pop(f"{key}_notes", None)
        change(changed)

    sections = ["Search", "Filter", "Guardrail"]
    if settings.mode != "retrieve":
        sections.insert(2, "Answer")
    section = _section(sections, settings, key)
    if section == "Search":
        _search(settings, key, rerankers, edit)
    elif section == "Filter":
        _filter(settings, key, sources, edit)
    elif section == "Answer":
        _template(settings, key, edit)
        _parameters(settings, key, edit)
    else:
        guardrail_form(
            settings.guardrail,
            current_identity(),
            key=f"{key}_guardrail",
            change=lambda changed: edit(lambda now: replace(now, guardrail=changed(now.guardrail))),
            of_model=settings.mode == "converse",
        )
    _reset(settings, key, edit)


def _within_limits(settings: RagSettings, key: str, change: Change) -> RagSettings:
    """The settings with what AWS would refuse put right; what was changed is said until the next edit."""
    settings, notes = clamped(settings)
    if notes:
        change(lambda now: clamped(now)[0])
        st.session_state[f"{key}_notes"] = notes
    if notes := st.session_state.get(f"{key}_notes", []):
        st.info("\n".join(f"- {plain(note)}" for note in notes), icon=":material/straighten:")
    return settings


def _section(sections: list[str], settings: RagSettings, key: str) -> str:
    """The section that is chosen; the others are not drawn, and say when something is on in them."""
    nodes = [node for _, node in walk(from_aws(settings.retrieval.filter))]
    conditions = sum(not isinstance(node, Group) for node in nodes)
    on = {
        "Filter": f" ({conditions})" if conditions else "",
        "Guardrail": " (on)" if settings.guardrail.identifier else "",
    }
    chosen, widget = f"{key}_section", f"{key}_section_choice"
    before = st.session_state.get(chosen)
    show(widget, before if before in sections else sections[0])
    picked = st.segmented_control(
        "Section",
        sections,
        key=widget,
        format_func=lambda name: name + on.get(name, ""),
        label_visibility="collapsed",
        required=True,
        on_change=lambda: st.session_state.update({chosen: st.session_state[widget]}),
    )
    return picked or sections[0]


def _search(settings: RagSettings, key: str, rerankers: Sequence[Model], edit: Change) -> None:
    retrieval = settings.retrieval

    def changed(**values: Any) -> None:
        edit(lambda now: replace(now, retrieval=replace(now.retrieval, **values)))

    left, right = st.columns(2)
    with left:
        _number(
            "Number of results",
            f"{key}_results",
            retrieval.number_of_results,
            RESULTS,
            lambda value: changed(number_of_results=value),
            help=f"`numberOfResults`. Left empty, the service returns up to {DEFAULT_RESULTS}. "
            "More passages cost more input tokens when an answer is written.",
        )
    with right:
        widget = f"{key}_search_type"
        show(widget, retrieval.search_type, next(iter(_SEARCH_TYPES)))
        st.selectbox(
            "Search type",
            list(_SEARCH_TYPES),
            key=widget,
            format_func=lambda one: _SEARCH_TYPES[one],
            help="`overrideSearchType`. Hybrid finds names, numbers and rare words too; on AWS it needs a "
            "vector store with a text field (OpenSearch Serverless, Aurora, MongoDB Atlas).",
            on_change=lambda: changed(search_type=st.session_state[widget]),
        )
    _reranker(settings, key, rerankers, changed)
    if settings.mode == "generate":
        _decomposition(settings, f"{key}_decompose", edit)


def _decomposition(settings: RagSettings, widget: str, edit: Change) -> None:
    show(widget, settings.decompose, False)
    st.toggle(
        "Break the question down",
        key=widget,
        help="`QUERY_DECOMPOSITION`: the model makes simpler questions of a complex one, and each is "
        "searched for. It takes one more call to the model.",
        on_change=lambda: edit(lambda now: replace(now, decompose=bool(st.session_state[widget]))),
    )


def _reranker(
    settings: RagSettings, key: str, rerankers: Sequence[Model], changed: Callable[..., None]
) -> None:
    retrieval, chosen = settings.retrieval, settings.retrieval.reranker
    left, right = st.columns(2)
    with left:
        pick_or_paste(
            "Reranker",
            {model.model_id: model.label for model in rerankers},
            chosen,
            key=f"{key}_reranker",
            placeholder="none: choose one, or paste an ID",
            changed=lambda model_id: changed(reranker=model_id),
            help="A model that reads the question with each passage and puts the passages in a new order.",
        )
    if not chosen:
        if not rerankers:
            st.caption("No reranking model is listed in this region.")
        return
    with right:
        _number(
            "Reranked results",
            f"{key}_reranked",
            retrieval.reranked_results,
            RESULTS,
            lambda value: changed(reranked_results=value),
            help="`numberOfRerankedResults`: how many are kept after reranking.",
        )
    if current_identity().backend == "local":
        st.caption("On AWS, each question to a reranker is billed beside retrieval; here it costs nothing.")
    else:
        st.caption("AWS bills each question to the reranker, beside retrieval and the answer.")
    found = retrieval.number_of_results or DEFAULT_RESULTS
    if retrieval.reranked_results and retrieval.reranked_results > found:
        st.caption(f"Only {found} passages are found, so no more than {found} can be kept.")


def _filter(settings: RagSettings, key: str, sources: Sequence[Source], edit: Change) -> None:
    st.caption("Only passages of documents whose metadata fit are searched.")
    filter_builder(
        settings.retrieval.filter,
        key=f"{key}_filter",
        suggestions=suggested_keys(sources),
        change=lambda given: edit(lambda now: replace(now, retrieval=replace(now.retrieval, filter=given))),
    )


def _template(settings: RagSettings, key: str, edit: Change) -> None:
    widget, template = f"{key}_template", settings.prompt_template
    sent = "Sent to AWS with the call." if settings.mode == "generate" else "Filled here, sent by Converse."
    words = "; ".join(f"`{name}`: {what}" for name, what in PLACEHOLDERS[settings.mode].items())
    show(widget, template, "")
    st.text_area(
        "Prompt template",
        key=widget,
        height=180,
        placeholder="not sent: the service's own" if settings.mode == "generate" else "the built-in one",
        help=f"{sent} {words}.",
        on_change=lambda: edit(lambda now: replace(now, prompt_template=st.session_state[widget] or "")),
    )
    for fault in template_faults(template, settings.mode):
        st.error(plain(fault), icon=":material/error:")
    if advice := template_advice(template, settings.mode):
        st.caption(plain(advice))
    if not template.strip():
        st.button(
            "Start from an example",
            key=f"{key}_template_example",
            icon=":material/edit_note:",
            on_click=lambda: edit(lambda now: replace(now, prompt_template=EXAMPLES[now.mode])),
        )
    elif settings.mode == "generate":
        st.caption(f"{len(template):,} of {LONGEST:,} characters")


def _parameters(settings: RagSettings, key: str, edit: Change) -> None:
    columns = st.columns(len(PARAMETERS))
    for column, (name, limit) in zip(columns, PARAMETERS.items(), strict=True):
        with column:
            _number(
                _PARAMETER_LABELS[name],
                f"{key}_{name}",
                settings.parameters.get(name),
                limit,
                _parameter_setter(name, edit),
                help=f"`{name}`, {limit.minimum:g} to {limit.maximum:,g}. "
                "Empty means not sent, which is not 0.",
            )
    stop_sequences(
        f"{key}_stop_sequences",
        settings.stop_sequences,
        MOST_STOP_SEQUENCES,
        lambda sequences: edit(lambda now: replace(now, stop_sequences=sequences)),
    )


def _parameter_setter(name: str, edit: Change) -> Callable[[float | None], None]:
    def put(value: float | None) -> None:
        def changed(now: RagSettings) -> RagSettings:
            others: Mapping[str, float] = {k: v for k, v in now.parameters.items() if k != name}
            return replace(now, parameters=others if value is None else {**others, name: value})

        edit(changed)

    return put


def _number(
    label: str,
    widget: str,
    value: float | None,
    limit: Limit,
    changed: Callable[[Any], None],
    *,
    help: str,
) -> None:
    kind: Callable[[Any], Any] = int if limit.whole else float
    show(widget, None if value is None else kind(value))
    st.number_input(
        label,
        min_value=kind(limit.minimum),
        max_value=kind(limit.maximum),
        value=None,
        step=1 if limit.whole else 0.1,
        key=widget,
        placeholder="not sent",
        help=help,
        on_change=lambda: changed(st.session_state[widget]),
    )


def _reset(settings: RagSettings, key: str, edit: Change) -> None:
    """Back to what the service does by itself; knowledge base, mode and model stay."""
    bare = _bare(settings)
    draft = f"{key}_filter_draft"
    kept = st.session_state.get(draft)

    def reset() -> None:
        st.session_state.pop(draft, None)
        edit(_bare)

    st.button(
        "Reset",
        key=f"{key}_reset",
        icon=":material/restart_alt:",
        help="Send nothing but the question: the service's own defaults",
        disabled=settings == bare and not (kept is not None and kept.items),
        on_click=reset,
    )


def _bare(settings: RagSettings) -> RagSettings:
    return RagSettings(settings.knowledge_base_id, settings.mode, settings.model_id)
