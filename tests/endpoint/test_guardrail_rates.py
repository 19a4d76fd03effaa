"""The rates of a guardrail as the workbench reads them from the local endpoint's CloudWatch."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

from services import guardrail_editor, guardrail_metrics
from services.clients import Identity, client
from services.guardrail_configuration import Configuration, Word
from services.guardrail_editor import new_seed
from services.guardrail_metrics import SPANS, Rates, rate


def counted(identity: Identity, identifier: str, checks: int, seconds: float = 20) -> Rates:
    """The figures, as soon as this many checks are counted: the endpoint tells them behind the answer."""
    end = time.monotonic() + seconds
    while True:
        guardrail_metrics.refresh()
        found = guardrail_metrics.rates(identity, identifier, SPANS[0])
        assert found.problem is None, found.problem
        if sum(found.invocations.values()) >= checks:
            return found
        assert time.monotonic() < end, "it was not counted in time"
        threading.Event().wait(0.1)


def test_interventions_are_counted_by_policy_and_side(identity: Identity) -> None:
    configuration = Configuration(
        name=f"counted-{uuid4().hex[:12]}",
        blocked_input_messaging="No.",
        blocked_outputs_messaging="No.",
        words=(Word(text="heron"),),
    )
    identifier = guardrail_editor.create(identity, configuration, seed=new_seed())
    assert guardrail_metrics.rates(identity, identifier, SPANS[0]) == Rates()
    for text in ("a heron", "a stork", "a crane", "an egret"):
        client("bedrock-runtime", identity).apply_guardrail(
            guardrailIdentifier=identifier,
            guardrailVersion="DRAFT",
            source="INPUT",
            content=[{"text": {"text": text}}],
        )
    found = counted(identity, identifier, 4)
    assert sum(found.intervened.values()) == 1
    assert {name: sum(values.values()) for name, values in found.policies.items()} == {"WordPolicy": 1}
    assert not found.policies_of_account
    assert sum(found.source_base["Input"].values()) == 4
    assert max(rate(found.sources["Input"], found.source_base["Input"]).values()) > 0
    assert found.latency_ms
    guardrail_editor.delete(identity, identifier)
