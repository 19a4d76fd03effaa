"""What models take: the table itself, and the rules that people run into."""

import doctest
import re
import tomllib
from pathlib import Path

import pytest

from localbedrock import catalogue
from services import capabilities
from services.capabilities import Bound, Capabilities, capabilities_of, put_additional

TABLE = tomllib.loads((Path(capabilities.__file__).parent / "data" / "capabilities.toml").read_text())


def conflicts(model_id: str) -> set[frozenset[str]]:
    return {frozenset(conflict.names) for conflict in capabilities_of(model_id).conflicts}


def test_the_docstring_examples_hold() -> None:
    assert doctest.testmod(capabilities).failed == 0


def test_an_unknown_model_gets_converses_bounds_and_unknowns() -> None:
    """A bound must not block what the service accepts; what is not known is None, never False."""
    found = capabilities_of("somebody.new-model-v1:0")
    assert found.bounds["temperature"] == Bound(0, 1, None, 0.05)
    assert found.bounds["topP"] == Bound(0, 1, None, 0.05)
    assert (found.bounds["maxTokens"].minimum, found.bounds["stopSequences"].maximum) == (1, 2500)
    assert "topK" not in found.bounds
    assert not found.conflicts
    assert not found.refused
    unknown = (
        found.converse,
        found.system,
        found.tools,
        found.reasoning,
        found.prompt_caching,
        found.streaming,
    )
    assert unknown == (None,) * 6
    assert found.context_tokens is found.max_output_tokens is None
    assert found.source
    assert capabilities_of("").family == "unknown"


@pytest.mark.parametrize(
    "model_id",
    [
        "anthropic.claude-opus-4-1-20250805-v1:0",
        "anthropic.claude-opus-4-5-20251101-v1:0",
        "anthropic.claude-opus-4-6-v1",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "anthropic.claude-sonnet-4-6",
        "anthropic.claude-haiku-4-5-20251001-v1:0",
    ],
)
def test_claude_that_takes_temperature_or_top_p(model_id: str) -> None:
    """AWS: "`temperature` and `top_p` cannot both be specified for this model. Please use only one."."""
    assert {"temperature", "topP"} in conflicts(model_id)
    assert not capabilities_of(model_id).refused


@pytest.mark.parametrize(
    "model_id",
    [
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "anthropic.claude-3-7-sonnet-20250219-v1:0",
        "anthropic.claude-opus-4-20250514-v1:0",
        "anthropic.claude-sonnet-4-20250514-v1:0",
    ],
)
def test_earlier_claude_takes_both(model_id: str) -> None:
    assert {"temperature", "topP"} not in conflicts(model_id)
    assert not capabilities_of(model_id).refused


@pytest.mark.parametrize(
    "model_id",
    [
        "anthropic.claude-opus-4-7",
        "anthropic.claude-opus-4-8",
        "anthropic.claude-opus-5",
        "anthropic.claude-opus-5-5",
        "anthropic.claude-sonnet-5",
        "anthropic.claude-haiku-5-5",
        "anthropic.claude-fable-5-1-v1:0",
        "anthropic.claude-mythos-preview",
        "anthropic.claude-sonnet-6",
    ],
)
def test_newer_claude_refuses_sampling_parameters_and_budgets(model_id: str) -> None:
    """AWS: "`temperature` is deprecated for this model."; a new model must not need a new version of this."""
    found = capabilities_of(model_id)
    assert {"temperature", "topP", "topK", "thinkingBudget"} <= found.refused.keys()
    assert all(reason.endswith(".") for reason in found.refused.values())
    assert not found.conflicts
    assert found.choices["effort"][0] == "low"


def test_limits_and_reasoning_budgets_of_claude() -> None:
    limits = {
        "anthropic.claude-3-haiku-20240307-v1:0": (200_000, 4096),
        "anthropic.claude-3-5-haiku-20241022-v1:0": (200_000, 8192),
        "anthropic.claude-opus-4-1-20250805-v1:0": (200_000, 32_000),
        "anthropic.claude-haiku-4-5-20251001-v1:0": (200_000, 64_000),
        "anthropic.claude-opus-4-7": (1_000_000, 128_000),
        "anthropic.claude-v2:1": (200_000, 4096),
    }
    for model_id, expected in limits.items():
        found = capabilities_of(model_id)
        assert (found.context_tokens, found.max_output_tokens) == expected
        assert found.bounds["maxTokens"].maximum == expected[1]
    budget = capabilities_of("anthropic.claude-haiku-4-5-20251001-v1:0").bounds["thinkingBudget"]
    assert (budget.minimum, budget.maximum) == (1024, 64_000)
    assert {"thinkingBudget", "temperature"} in conflicts("anthropic.claude-haiku-4-5-20251001-v1:0")
    assert "thinkingBudget" not in capabilities_of("anthropic.claude-3-haiku-20240307-v1:0").bounds


def test_claude_3_7_may_answer_beyond_its_published_limit() -> None:
    """With a beta header it puts out 128,000 tokens: the bound is the wider of the two."""
    found = capabilities_of("anthropic.claude-3-7-sonnet-20250219-v1:0")
    assert (found.max_output_tokens, found.bounds["maxTokens"].maximum) == (64_000, 128_000)


def test_the_context_of_a_provisioned_variant_stands_in_its_id() -> None:
    assert capabilities_of("anthropic.claude-3-haiku-20240307-v1:0:48k").context_tokens == 48_000


@pytest.mark.parametrize(
    ("model_id", "name", "value", "fields"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "topK", 20, {"top_k": 20}),
        ("amazon.nova-lite-v1:0", "topK", 20, {"inferenceConfig": {"topK": 20}}),
        ("mistral.mistral-7b-instruct-v0:2", "topK", 20, {"top_k": 20}),
        ("cohere.command-r-v1:0", "topK", 20, {"k": 20}),
        (
            "anthropic.claude-sonnet-4-20250514-v1:0",
            "thinkingBudget",
            2048,
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
        ),
        (
            "anthropic.claude-opus-5",
            "effort",
            "high",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        ),
        (
            "amazon.nova-2-lite-v1:0",
            "effort",
            "low",
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
        ),
        ("openai.gpt-oss-20b-1:0", "effort", "medium", {"reasoning_effort": "medium"}),
    ],
)
def test_parameters_that_converse_has_no_name_for(
    model_id: str, name: str, value: float | str, fields: dict[str, object]
) -> None:
    """In the form each provider takes them, as recorded calls have it."""
    sent: dict[str, object] = {}
    assert put_additional(sent, capabilities_of(model_id), name, value)
    assert sent == fields


def test_additional_parameters_join_what_is_there_already() -> None:
    sent: dict[str, object] = {"inferenceConfig": {"other": 1}, "more": True}
    put_additional(sent, capabilities_of("amazon.nova-lite-v1:0"), "topK", 5)
    assert sent == {"inferenceConfig": {"other": 1, "topK": 5}, "more": True}
    odd: dict[str, object] = {"inferenceConfig": "text"}
    put_additional(odd, capabilities_of("amazon.nova-lite-v1:0"), "topK", 5)
    assert odd == {"inferenceConfig": {"topK": 5}}
    assert not put_additional(sent, capabilities_of("amazon.nova-lite-v1:0"), "temperature", 1)


@pytest.mark.parametrize(
    "model_id",
    [
        "amazon.titan-embed-text-v2:0",
        "cohere.embed-english-v3",
        "cohere.rerank-v3-5:0",
        "amazon.rerank-v1:0",
        "amazon.nova-canvas-v1:0",
        "amazon.nova-2-sonic-v1:0",
        "amazon.nova-2-multimodal-embeddings-v1:0",
        "stability.stable-fast-upscale-v1:0",
        "twelvelabs.pegasus-1-2-v1:0",
    ],
)
def test_what_converse_does_not_serve(model_id: str) -> None:
    assert capabilities_of(model_id).converse is False


@pytest.mark.parametrize(
    ("model_id", "family", "system", "tools", "streaming"),
    [
        ("amazon.nova-pro-v1:0", "nova", True, True, True),
        ("amazon.titan-text-express-v1", "titan", False, False, True),
        ("meta.llama3-1-70b-instruct-v1:0", "llama", True, True, True),
        ("meta.llama3-8b-instruct-v1:0", "llama", True, False, True),
        ("mistral.mixtral-8x7b-instruct-v0:1", "mistral", False, False, True),
        ("mistral.mistral-large-2402-v1:0", "mistral", True, True, True),
        ("cohere.command-text-v14", "cohere", False, False, True),
        ("cohere.command-r-plus-v1:0", "cohere", True, True, True),
        ("ai21.jamba-1-5-large-v1:0", "jamba", True, True, True),
        ("ai21.j2-ultra-v1", "jurassic", False, False, False),
        ("deepseek.r1-v1:0", "deepseek", True, False, True),
        ("openai.gpt-oss-120b-1:0", "gpt-oss", True, True, True),
        ("qwen.qwen3-32b-v1:0", "qwen", True, True, True),
        ("local.smollm2-135m-instruct-v1:0", "local", True, True, True),
    ],
)
def test_features_by_family(
    model_id: str, family: str, system: bool, tools: bool | None, streaming: bool
) -> None:
    """As the table of "Supported models and model features" in the user guide has them."""
    found = capabilities_of(model_id)
    assert (found.family, found.system, found.tools, found.streaming) == (family, system, tools, streaming)
    assert found.converse is True


def test_the_local_endpoints_models_are_known() -> None:
    """What it says of its own models and what stands in the table agree; its stand-ins have a family."""
    for model in (*catalogue._LOCAL, *catalogue._FIXED):
        found = capabilities_of(model.model_id)
        chats = model.chats
        assert found.family != "unknown"
        assert found.converse is chats
        if model.model_id.startswith("local.") and chats:
            assert found.context_tokens == model.context_tokens
            assert found.max_output_tokens == model.max_output_tokens
            assert (found.system, found.tools) == ("system" in model.features, "tools" in model.features)


def test_every_entry_of_the_table_is_sound() -> None:
    """Patterns compile, bounds are in order and inside Converse's, members exist, families have a source."""
    names = set(Capabilities.__dataclass_fields__) | {"match"}
    for row in TABLE["entry"]:
        assert row.keys() <= names, row
        re.compile(row["match"])
        assert row.get("source") or "family" not in row, row
    samples = [_sample(row["match"]) for row in TABLE["entry"]]
    assert len({row["family"] for row in TABLE["entry"] if "family" in row}) > 12
    for sample in samples:
        found = capabilities_of(sample)
        for name, bound in found.bounds.items():
            assert bound.minimum < bound.maximum, (sample, name)
            assert bound.step > 0
            if bound.default is not None:
                assert bound.minimum <= bound.default <= bound.maximum, (sample, name)
        assert found.bounds["temperature"].minimum >= 0
        assert found.bounds["temperature"].maximum <= 1
        assert (
            found.additional_paths.keys() <= found.bounds.keys() | found.choices.keys() | found.refused.keys()
        )
        assert found.companions.keys() <= found.additional_paths.keys()
        for conflict in found.conflicts:
            assert set(conflict.names) <= found.bounds.keys() | found.choices.keys(), (sample, conflict)
            assert conflict.reason.endswith(".")


def _sample(pattern: str) -> str:
    """An id that the pattern matches: its first alternatives, without the signs of a regular expression."""
    text = pattern
    while found := re.search(r"\(([^()|]*)[^()]*\)", text):
        text = text[: found.start()] + found[1] + text[found.end() :]
    text = re.sub(r"\[([^\]])[^\]]*\]", r"\1", text)
    sample = (
        text.replace("\\.", ".").replace("\\b", "").replace("\\d", "1").replace(".*", "x.").replace("?", "")
    )
    assert re.match(pattern, sample), (pattern, sample)
    return sample
