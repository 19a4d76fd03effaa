"""What a run of a suite is made of: a guardrail's version, a result, its lines, what came of a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.clients import Identity
from services.guardrail_results import Outcome
from services.guardrail_suites.cases import Case
from services.guardrail_traces import Finding

SHOWN_REASONS = 3


@dataclass(frozen=True)
class Target:
    """One version of a guardrail; `label` names it to people."""

    identifier: str
    version: str
    label: str


@dataclass(frozen=True)
class SuiteResult:
    """A suite on one version of a guardrail, as far as it has come. `changes` rises with every line stored.

    Results with the same `run_id` were asked for together. `note` says why it stopped by itself.
    """

    id: str
    run_id: str
    owner: str
    suite_name: str
    label: str
    identifier: str
    guardrail_version: str
    created_at: datetime
    total: int
    done: int
    backend: str
    profile: str | None
    region: str
    changes: int
    note: str
    runner: str | None
    heartbeat_at: float | None

    @property
    def waiting(self) -> int:
        """How many texts have not been checked yet."""
        return self.total - self.done

    def made_by(self, identity: Identity) -> bool:
        """Whether calls of this identity go where the first ones went."""
        place = (identity.backend, identity.profile, identity.region)
        return place == (self.backend, self.profile, self.region)


@dataclass(frozen=True)
class Line:
    """One case of a result, at its place in the suite."""

    result_id: str
    position: int
    case: Case


@dataclass(frozen=True)
class Checked:
    """What came of a case. `acted` are the policies that did something, by AWS's names; `why` says it."""

    got: Outcome
    acted: tuple[str, ...] = ()
    why: str = ""
    units: Mapping[str, int] = field(default_factory=dict)
    latency_ms: float | None = None


def reason(findings: tuple[Finding, ...]) -> str:
    """What the guardrail acted on, in words; where on nothing, what came nearest."""
    acted = [finding for finding in findings if finding.acted]
    near = [
        finding
        for finding in findings
        if finding.match or (finding.detail and not finding.detail.startswith("confidence none"))
    ]
    chosen = acted or near
    said = [_sentence(finding) for finding in chosen[:SHOWN_REASONS]]
    if len(chosen) > SHOWN_REASONS:
        said.append(f"{len(chosen) - SHOWN_REASONS} more")
    return "; ".join(said)


def _sentence(finding: Finding) -> str:
    match = f" “{finding.match[:80]}”" if finding.match else ""
    detail = f" ({finding.detail})" if finding.detail else ""
    return f"{finding.policy} → {finding.item}{match}{detail} → {finding.action}"
