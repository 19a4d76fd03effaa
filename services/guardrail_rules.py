"""What AWS would refuse in a guardrail, said before it is asked.

Lengths, counts, names and values are checked against botocore's service model of CreateGuardrail, so the
bounds are the SDK's own; what the model cannot say (a regex that does not compile, a duplicate) is said here.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import botocore.session

from services.guardrail_configuration import CONFIG, LISTS, Configuration, Item, ItemList, Regex

_HIGHEST_THRESHOLD = 0.99
"""From the API reference of GuardrailContextualGroundingFilterConfig; the service model has no maximum."""
_LOOKAROUND = re.compile(r"(?<!\\)\(\?(<?[=!])")
_MEMBERS = {
    "blockedInputMessaging": "the message for a blocked prompt",
    "blockedOutputsMessaging": "the message for a blocked reply",
    "guardrailProfileIdentifier": "the cross-Region profile",
    "kmsKeyId": "the KMS key",
}
_PATTERNS = {
    "[0-9a-zA-Z-_]+": "may have letters, digits, hyphens and underscores alone",
    "[0-9a-zA-Z-_ !?.]+": "may have letters, digits, spaces and - _ ! ? . alone",
}
Path = tuple[str | int, ...]


def problems(configuration: Configuration) -> tuple[str, ...]:
    """Everything that AWS would refuse, a sentence each; () where a guardrail can be made of it."""
    request = configuration.to_request()
    found = [f"{_where(path, configuration)} {said}" for path, said in _refused(request, request_shape(), ())]
    found += _own_rules(configuration)
    return tuple(dict.fromkeys(found))


@functools.cache
def request_shape() -> Any:
    """The shape of CreateGuardrail's request."""
    model = botocore.session.get_session().get_service_model("bedrock")
    return model.operation_model("CreateGuardrail").input_shape


@functools.cache
def choices(field_name: str, member: str) -> tuple[str, ...]:
    """The values that AWS knows for a member of the items of a list: `choices("pii", "type")`."""
    each = next(each for each in LISTS if each.field == field_name)
    items = request_shape().members[each.policy + CONFIG].members[each.members + CONFIG]
    shape = items.member.members[member]
    return tuple(getattr(shape.member if shape.type_name == "list" else shape, "enum", ()))


def longest(member: str) -> int:
    """The most characters that a text of the request itself may have: `longest("name")`."""
    return int(request_shape().members[member].metadata["max"])


def _refused(value: Any, shape: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """(where, what is wrong) for everything that the model forbids."""
    if shape.type_name == "structure":
        yield from _refused_structure(value, shape, path)
    elif shape.type_name == "list":
        yield from _refused_list(value, shape, path)
    elif shape.type_name == "string":
        yield from ((path, said) for said in _refused_text(value, shape))
    elif shape.type_name == "double":
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = f"from {low:g} on" if high is None else f"from {low:g} to {high:g}"
            yield path, f"is {value:g}; it may be {bounds}."


def _refused_structure(value: Any, shape: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, Mapping):
        yield path, "is to be an object."
        return
    for name in shape.required_members:
        if name not in value:
            yield (*path, name), "is missing."
    for name, member in value.items():
        if name in shape.members:
            yield from _refused(member, shape.members[name], (*path, name))
        else:
            yield (*path, name), f"is not known to boto3 {boto3.__version__}, so it cannot be sent."


def _refused_list(value: Any, shape: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(value, list):
        yield path, "is to be a list."
        return
    most, least = shape.metadata.get("max"), shape.metadata.get("min", 0)
    if most is not None and len(value) > most:
        yield path, f"has {len(value):,} entries; AWS takes at most {most:,}."
    if len(value) < least:
        yield path, f"needs at least {least}."
    for n, member in enumerate(value):
        yield from _refused(member, shape.member, (*path, n))


def _refused_text(value: Any, shape: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield "is to be a text."
        return
    if shape.enum and value not in shape.enum:
        yield f"is “{value}”; AWS knows {', '.join(shape.enum)}."
    most, least = shape.metadata.get("max"), shape.metadata.get("min", 0)
    if most is not None and len(value) > most:
        yield f"has {len(value):,} characters; AWS takes at most {most:,}."
    if len(value) < least:
        yield "is missing." if not value else f"needs at least {least} characters."
    pattern = shape.metadata.get("pattern")
    if value and pattern and not re.fullmatch(pattern, value):
        yield f"{_PATTERNS.get(pattern, 'does not look as AWS wants it')}."


def _where(path: Path, configuration: Configuration) -> str:
    """A place in the request, in words."""
    for each in LISTS:
        if path[:2] == (each.policy + CONFIG, each.members + CONFIG):
            if len(path) == 2:
                return f"{each.words}s: the list"
            number = int(path[2])
            item = configuration.items(each.field)[number]
            rest = " ".join(_member(part) for part in path[3:])
            return f"{_title(each, item, number)}: {rest or 'it'}"
    said = ": ".join(_member(part) for part in path)
    return said[:1].upper() + said[1:]


def _member(part: str | int) -> str:
    if isinstance(part, int):
        return str(part + 1)
    spaced = re.sub(r"(?=[A-Z])", " ", part.removesuffix(CONFIG)).lower()
    return _MEMBERS.get(part, f"the {spaced}")


def _title(each: ItemList, item: Item, number: int) -> str:
    return f"{each.words} “{_short(item.title)}”" if item.title else f"{each.words} {number + 1}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"


def _own_rules(configuration: Configuration) -> Iterator[str]:  # noqa: C901 (a list of rules)
    if not any(name.endswith("Policy" + CONFIG) for name in configuration.to_request()):
        yield "A guardrail needs at least one policy: add a filter, a topic, a word, an entity or a regex."
    for each in LISTS:
        counts = Counter(item.title for item in configuration.items(each.field) if item.title)
        for title, count in counts.items():
            if count > 1:
                yield f"{each.words} “{_short(title)}” is there {count} times."
    for regex in configuration.regexes:
        yield from _pattern_rules(regex)
    for content in configuration.filters:
        if content.type == "PROMPT_ATTACK" and content.output_strength != "NONE":
            yield "Content filter “PROMPT_ATTACK” looks at prompts alone: its output strength must be NONE."
    for grounding in configuration.grounding:
        if grounding.threshold > _HIGHEST_THRESHOLD:
            most = f"AWS takes at most {_HIGHEST_THRESHOLD:g}, because with 1 everything would be blocked"
            yield f"Grounding filter “{grounding.type}”: the threshold is {grounding.threshold:g}; {most}."
    tiers = (configuration.content_tier, configuration.topic_tier)
    if "STANDARD" in tiers and not configuration.guardrail_profile:
        yield "The STANDARD tier needs a cross-Region profile."


def _pattern_rules(regex: Regex) -> Iterator[str]:
    if not regex.pattern:
        return
    title = f"Regex “{_short(regex.title)}”"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(regex.pattern)
    except (re.error, OverflowError, RecursionError) as error:
        yield f"{title}: the pattern cannot be read: {error}."
    if _LOOKAROUND.search(regex.pattern):
        yield f"{title}: Guardrails does not take lookahead or lookbehind in a pattern."
