"""The whole configuration of a guardrail as one value: read from GetGuardrail, written for CreateGuardrail.

>>> configuration = from_guardrail(answer)
>>> configuration.to_request()["topicPolicyConfig"]["topicsConfig"][0]["name"]
'Investment advice'

GetGuardrail and CreateGuardrail name the same things by one rule: a policy, a list and a tier of the answer
have the suffix `Config` in the request. A member that is not known here is kept verbatim in `other`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar

JsonDict = dict[str, Any]

CONFIG = "Config"
LARGEST_FILE_BYTES = 5_000_000
_ANSWERED = frozenset(
    (
        "guardrailId",
        "guardrailArn",
        "version",
        "status",
        "createdAt",
        "updatedAt",
        "statusReasons",
        "failureRecommendations",
        "ResponseMetadata",
        "clientRequestToken",
    )
)
"""What an answer or a request has beside the configuration."""
_NAMED_OTHERWISE = {"kmsKeyArn": "kmsKeyId"}
"""Members of the answer that are called otherwise in the request."""


class ConfigurationError(ValueError):
    """A text or a dict is no configuration of a guardrail; the message says where and why."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that a policy looks for.

    An action is "" and `..._enabled` None where they are not given: AWS's default holds. `other` has the
    members that are not known here.
    """

    identifies: ClassVar[str] = "type"
    """The field that names the item among those of its list."""

    input_action: str = ""
    output_action: str = ""
    input_enabled: bool | None = None
    output_enabled: bool | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the item is called; "" while it has no name."""
        return str(getattr(self, self.identifies))


@dataclass(frozen=True, kw_only=True)
class ContentFilter(Item):
    """A category of harm, and how strict the filter is on either side (NONE, LOW, MEDIUM, HIGH)."""

    type: str = ""
    input_strength: str = "HIGH"
    output_strength: str = "HIGH"
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Topic(Item):
    """A denied topic."""

    identifies: ClassVar[str] = "name"

    name: str = ""
    definition: str = ""
    examples: tuple[str, ...] = ()
    type: str = "DENY"


@dataclass(frozen=True, kw_only=True)
class Word(Item):
    """A custom word or phrase."""

    identifies: ClassVar[str] = "text"

    text: str = ""


@dataclass(frozen=True, kw_only=True)
class ManagedList(Item):
    """A list of words that AWS keeps."""

    type: str = ""


@dataclass(frozen=True, kw_only=True)
class PiiEntity(Item):
    """A kind of personal information. `action` holds for a side that has none of its own."""

    type: str = ""
    action: str = "BLOCK"


@dataclass(frozen=True, kw_only=True)
class Regex(Item):
    """A pattern. `action` holds for a side that has none of its own."""

    identifies: ClassVar[str] = "name"

    name: str = ""
    pattern: str = ""
    description: str = ""
    action: str = "BLOCK"


@dataclass(frozen=True, kw_only=True)
class GroundingFilter(Item):
    """Grounding or relevance: a reply that scores below the threshold (0 to 0.99) is acted on."""

    type: str = ""
    threshold: float = 0.7
    action: str = ""
    enabled: bool | None = None


@dataclass(frozen=True)
class ItemList:
    """Where the items of one kind stand: field of `Configuration`, policy and list in AWS's answer."""

    field: str
    kind: type[Item]
    policy: str
    members: str
    words: str


LISTS = (
    ItemList("filters", ContentFilter, "contentPolicy", "filters", "Content filter"),
    ItemList("topics", Topic, "topicPolicy", "topics", "Denied topic"),
    ItemList("words", Word, "wordPolicy", "words", "Custom word"),
    ItemList("managed_lists", ManagedList, "wordPolicy", "managedWordLists", "Managed word list"),
    ItemList("pii", PiiEntity, "sensitiveInformationPolicy", "piiEntities", "PII entity"),
    ItemList("regexes", Regex, "sensitiveInformationPolicy", "regexes", "Regex"),
    ItemList("grounding", GroundingFilter, "contextualGroundingPolicy", "filters", "Grounding filter"),
)
LIST_OF = {each.field: each for each in LISTS}
_TIERS = {"content_tier": "contentPolicy", "topic_tier": "topicPolicy"}
_REASONING = "automatedReasoningPolicy"
_TEXTS = ("name", "description", "blocked_input_messaging", "blocked_outputs_messaging", "kms_key_id")


@dataclass(frozen=True)
class Configuration:
    """Everything that a guardrail is set to.

    A tier is "" where none is given (AWS's default, CLASSIC). `guardrail_profile` is the cross-Region
    profile, an id or ARN. `reasoning_policies` are ARNs. `other` has the members that are not known here,
    under their names in the request; `other_of` those inside a policy.
    """

    name: str = ""
    description: str = ""
    blocked_input_messaging: str = ""
    blocked_outputs_messaging: str = ""
    kms_key_id: str = ""
    guardrail_profile: str = ""
    filters: tuple[ContentFilter, ...] = ()
    content_tier: str = ""
    topics: tuple[Topic, ...] = ()
    topic_tier: str = ""
    words: tuple[Word, ...] = ()
    managed_lists: tuple[ManagedList, ...] = ()
    pii: tuple[PiiEntity, ...] = ()
    regexes: tuple[Regex, ...] = ()
    grounding: tuple[GroundingFilter, ...] = ()
    reasoning_policies: tuple[str, ...] = ()
    reasoning_threshold: float | None = None
    other: Mapping[str, Any] = field(default_factory=dict)
    other_of: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def items(self, field_name: str) -> tuple[Item, ...]:
        """The items of one of `LISTS`."""
        found: tuple[Item, ...] = getattr(self, field_name)
        return found

    def to_request(self) -> JsonDict:
        """The arguments of CreateGuardrail, without a token. A policy without items is left out."""
        request = {camel(name): text for name in _TEXTS if (text := getattr(self, name))}
        for policy, members in self._policies().items():
            request[policy + CONFIG] = members
        if self.guardrail_profile:
            request["crossRegionConfig"] = {"guardrailProfileIdentifier": self.guardrail_profile}
        return request | dict(self.other)

    def _policies(self) -> dict[str, JsonDict]:
        policies: dict[str, JsonDict] = {}
        for each in LISTS:
            if items := self.items(each.field):
                members = policies.setdefault(each.policy, {})
                members[each.members + CONFIG] = [written(item) for item in items]
        if self.reasoning_policies:
            policies[_REASONING] = {"policies": list(self.reasoning_policies)}
            if self.reasoning_threshold is not None:
                policies[_REASONING]["confidenceThreshold"] = self.reasoning_threshold
        for name, policy in _TIERS.items():
            if policy in policies and (tier := getattr(self, name)):
                policies[policy]["tier" + CONFIG] = {"tierName": tier}
        for policy, others in self.other_of.items():
            policies.setdefault(policy, {}).update(others)
        return policies

    def to_json(self) -> str:
        """The request as indented JSON: what `from_json`, the CLI and boto3 take."""
        return json.dumps(self.to_request(), indent=2, ensure_ascii=False)


def from_guardrail(raw: Mapping[str, Any]) -> Configuration:
    """The configuration in an answer of GetGuardrail, or in a request of CreateGuardrail.

    ConfigurationError where a known member has another type than AWS gives it.
    """
    if not isinstance(raw, Mapping):
        raise ConfigurationError("A guardrail is a JSON object.")
    rest = {_NAMED_OTHERWISE.get(name, name): value for name, value in raw.items() if name not in _ANSWERED}
    values: JsonDict = {name: _text(rest.pop(camel(name), "") or "", camel(name)) for name in _TEXTS}
    values["guardrail_profile"] = _profile(rest)
    others: dict[str, Mapping[str, Any]] = {}
    for policy in dict.fromkeys([each.policy for each in LISTS] + [_REASONING]):
        held = rest.pop(policy, None) or {}
        held = rest.pop(policy + CONFIG, None) or held
        if not isinstance(held, Mapping):
            raise ConfigurationError(f"`{policy}` is to be an object.")
        members = dict(held)
        values |= _reasoning(members) if policy == _REASONING else _lists(policy, members)
        if members:
            others[policy] = members
    return Configuration(**values, other=rest, other_of=others)


def from_json(text: str | bytes) -> Configuration:
    """The configuration in a JSON text, as `to_json` or the AWS CLI write it. Raises ConfigurationError."""
    if len(text) > LARGEST_FILE_BYTES:
        raise ConfigurationError(f"The file is larger than {LARGEST_FILE_BYTES // 1_000_000} MB.")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"This is not JSON: {error}.") from error
    known = {each.policy for each in LISTS} | {"name", _REASONING}
    if not isinstance(raw, dict) or not ({*raw} & {*known, *(f"{name}{CONFIG}" for name in known)}):
        raise ConfigurationError("This JSON has no name and no policy, so it is no guardrail.")
    return from_guardrail(raw)


def written(item: Item) -> JsonDict:
    """An item as a request has it: what is not given is left out."""
    values = {camel(each.name): getattr(item, each.name) for each in _members(type(item))}
    given = {name: value for name, value in values.items() if value not in ("", None, ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()} | dict(
        item.other
    )


def camel(name: str) -> str:
    """AWS's name of a field: `input_action` is `inputAction`."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _members(kind: type[Item]) -> Iterator[Field[Any]]:
    """The fields that AWS knows, the item's own before those of its sides. Grounding has no sides."""
    shared = {each.name for each in fields(Item)}
    own = [each for each in fields(kind) if each.name not in shared]
    sides = [each for each in fields(Item) if each.name != "other"] if kind is not GroundingFilter else []
    yield from own + sides


def _lists(policy: str, members: JsonDict) -> JsonDict:
    """The lists and the tier of a policy, taken out of `members`."""
    values: JsonDict = {}
    for each in LISTS:
        if each.policy == policy:
            rows = members.pop(each.members, None) or []
            rows = members.pop(each.members + CONFIG, None) or rows
            if not isinstance(rows, list):
                raise ConfigurationError(f"`{policy}.{each.members}` is to be a list.")
            values[each.field] = tuple(
                _read(each.kind, row, f"{each.words} {n}") for n, row in enumerate(rows, start=1)
            )
    for name, of in _TIERS.items():
        if of == policy:
            tier = members.pop("tier", None) or {}
            tier = members.pop("tier" + CONFIG, None) or tier
            values[name] = _text(tier.get("tierName", "") if isinstance(tier, Mapping) else tier, "tier")
    return values


def _reasoning(members: JsonDict) -> JsonDict:
    threshold = members.pop("confidenceThreshold", None)
    if threshold is not None and not _is_number(threshold):
        raise ConfigurationError("`confidenceThreshold` is to be a number.")
    policies = _value(members.pop("policies", None) or [], (), "policies")
    return {"reasoning_policies": policies, "reasoning_threshold": threshold}


def _profile(rest: JsonDict) -> str:
    details, config = rest.pop("crossRegionDetails", None), rest.pop("crossRegionConfig", None)
    for held, name in (
        (config, "guardrailProfileIdentifier"),
        (details, "guardrailProfileArn"),
        (details, "guardrailProfileId"),
    ):
        if isinstance(held, Mapping) and held.get(name):
            return _text(held[name], name)
    return ""


def _read(kind: type[Item], raw: Any, where: str) -> Item:
    if not isinstance(raw, Mapping):
        raise ConfigurationError(f"{where} is to be an object.")
    rest = dict(raw)
    values: JsonDict = {}
    for each in _members(kind):
        if (value := rest.pop(camel(each.name), None)) is not None:
            values[each.name] = _value(value, each.default, f"{where}, `{camel(each.name)}`,")
    return kind(**values, other=rest)


def _value(value: Any, default: Any, where: str) -> Any:
    """A value of the type that the field's default tells: text, texts, a number, or yes and no."""
    if isinstance(default, str) or default is MISSING:
        return _text(value, where)
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise ConfigurationError(f"{where} is to be a list of texts.")
        return tuple(value)
    if isinstance(default, float):
        if not _is_number(value):
            raise ConfigurationError(f"{where} is to be a number.")
        return float(value)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where} is to be true or false.")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{where} is to be a text.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
