"""What a cell of a batch sends: the row through the template, by the settings of the column."""

from __future__ import annotations

from datetime import UTC, datetime

from services.batch_calls import cell_call
from services.batch_values import Batch, Column
from services.clients import Identity
from services.conversations import Settings
from services.model_values import Model

HERE = Identity("local", None, "us-east-1")
MODEL = Model(
    model_id="alpha.one-v1:0",
    base_model_id="alpha.one-v1:0",
    arn="",
    name="One",
    provider="Alpha",
    kind="foundation",
)
ROW = {"question": "Why?", "tone": "curt"}


def batch(settings: Settings) -> Batch:
    return Batch(
        id="b",
        owner="ana",
        name="b",
        created_at=datetime.now(UTC),
        headers=tuple(ROW),
        template="Answer: {{q}}",
        mapping={"q": "question"},
        columns=(Column("One", settings),),
        row_count=1,
        concurrency=1,
        backend="local",
        profile=None,
        region="us-east-1",
        version=1,
        note="",
        runner=None,
        heartbeat_at=None,
    )


def test_the_row_fills_the_template_and_the_system_prompt() -> None:
    settings = Settings(model_id=MODEL.model_id, system="Be {{tone}}. {{unknown}} stays.")
    call = cell_call(batch(settings), settings, MODEL, ROW, HERE, {"row": "1"})
    assert call is not None
    assert call.request["messages"] == [{"role": "user", "content": [{"text": "Answer: Why?"}]}]
    assert call.request["system"] == [{"text": "Be curt. {{unknown}} stays."}]
    assert (call.user, dict(call.tags)) == ("ana", {"row": "1"})


def test_a_row_without_words_makes_no_call() -> None:
    settings = Settings(model_id=MODEL.model_id)
    made = batch(settings)
    blank = Batch(**{**vars(made), "template": "{{q}}"})
    assert cell_call(blank, settings, MODEL, {"question": "  ", "tone": ""}, HERE, {}) is None
