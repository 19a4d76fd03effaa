"""What a model is to the workbench: one line of the picker, with all that a page asks about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

from services.capabilities import Capabilities
from services.model_ids import Kind, Scope, geography_name
from services.pricing import Price
from services.problems import Problem

Access = Literal["available", "not_available", "unknown"]

NOT_CALLABLE = "Not callable by this ID"
_GROUPS: dict[Kind, str] = {
    "foundation": "On demand",
    "application_profile": "Application profiles",
    "prompt_router": "Prompt routers",
    "provisioned": "Provisioned",
    "custom": "Custom",
    "imported": "Imported",
    "marketplace": "Marketplace endpoints",
    "prompt": "Managed prompts",
}


@dataclass(frozen=True)
class Model:
    """One thing that a call's `modelId` can name.

    `model_id` is what is sent. `base_model_id` is the foundation model behind it ("" where unknown).
    `callable` is False where AWS lists it but would refuse a call; `why_not` says why, and `use_instead` is
    the inference profile that works ("" where there is none). `geography` is a profile's prefix ("us", "eu").
    `access` is "unknown" until `models.availability` has asked.
    """

    model_id: str
    arn: str
    name: str
    provider: str
    kind: Kind
    base_model_id: str
    base_name: str = ""
    scope: Scope = "in_region"
    geography: str = ""
    callable: bool = True
    why_not: str = ""
    use_instead: str = ""
    lifecycle: str = "ACTIVE"
    legacy_since: date | None = None
    end_of_life: date | None = None
    extended_access_from: date | None = None
    access: Access = "unknown"
    access_reason: str = ""
    output_modalities: frozenset[str] = frozenset()
    destination_regions: tuple[str, ...] = ()
    capabilities: Capabilities = Capabilities()
    price: Price | None = None

    @property
    def can_chat(self) -> bool:
        """Whether Converse is expected to take it: text in, text out, as far as is known."""
        inputs, outputs = self.capabilities.input_modalities - {"DOCUMENT"}, self.output_modalities
        return (
            self.capabilities.converse is not False
            and (not inputs or "TEXT" in inputs)
            and (not outputs or "TEXT" in outputs)
        )

    @property
    def group(self) -> str:
        """The picker's heading, e.g. "On demand" or "Inference profiles – US geo"."""
        if not self.callable:
            return NOT_CALLABLE
        if self.kind != "inference_profile":
            return _GROUPS[self.kind]
        if self.scope == "global":
            return "Inference profiles – global"
        return f"Inference profiles – {geography_name(self.geography)} geo"

    @property
    def label(self) -> str:
        """The picker's line: the name, the model behind a name of one's own, and the end of its life."""
        parts = [self.name]
        if self.kind not in ("foundation", "inference_profile") and self.base_name:
            parts.append(self.base_name)
        if self.lifecycle == "LEGACY":
            parts.append(f"legacy, ends {self.end_of_life:%d %b %Y}" if self.end_of_life else "legacy")
        return " · ".join(parts)

    @cached_property
    def search_text(self) -> str:
        """Everything a search looks in, in lower case."""
        ids = (self.model_id, self.base_model_id, self.arn)
        return " ".join((self.label, self.provider, self.base_name, self.group, *ids)).lower()


@dataclass(frozen=True)
class Catalogue:
    """All models of one identity in the picker's order, and what could not be listed."""

    models: tuple[Model, ...]
    problems: tuple[Problem, ...] = ()

    @cached_property
    def _by_id(self) -> Mapping[str, Model]:
        own = [model for model in self.models if model.kind == "application_profile"]
        by_id = {model.arn.rpartition("/")[2]: model for model in own}
        by_id |= {model.arn: model for model in self.models if model.arn}
        return by_id | {model.model_id: model for model in self.models}

    def get(self, model_id: str) -> Model | None:
        """The listed model of this id or ARN."""
        return self._by_id.get(model_id)
