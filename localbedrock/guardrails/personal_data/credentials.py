"""AWS keys, passwords, user names and PINs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localbedrock.guardrails.personal_data import lists
from localbedrock.guardrails.personal_data.reading import CERTAIN, LIKELY, Entity, Finder, Reading

ACCESS, SECRET = "AWS_ACCESS_KEY", "AWS_SECRET_KEY"
ACCESS_FORM = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])")
SECRET_FORM = re.compile(r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
KEY_REACH = 200
PIN_FORM = re.compile(r"(?<![\w.,/$€£-])\d{4,8}(?![\w/]|[.,-]\d)")

VALUE = re.compile(r"[^\s\"'`,;<>(){}\[\]]{2,64}")
CLAUSE_END = re.compile(r"[\"'`)\]]?[.!?]?\s*(?:$|[\n,;.!?)]|\b(?:and|for|but|or|on)\b)")
IN_A_URL = re.compile(r"://([^\s/:@]{1,64}):([^\s/@]{1,64})@")
HANDLE = re.compile(r"@[A-Za-z_]\w{1,30}(?!\w|\.\w)")


def access_keys(reading: Reading) -> Iterator[Entity]:
    """Access key ids, by their prefix and length."""
    for entity, _ in reading.matches(ACCESS, ACCESS_FORM, CERTAIN):
        yield entity


def secret_keys(reading: Reading) -> Iterator[Entity]:
    """40 characters with letters of both cases and digits, named or near an access key id."""
    keys = [found.start() for found in ACCESS_FORM.finditer(reading.text)]
    for entity, value in reading.matches(SECRET, SECRET_FORM, LIKELY):
        if not (re.search(r"[a-z]", value) and re.search(r"[A-Z]", value) and re.search(r"\d", value)):
            continue
        named = reading.labels.near(frozenset({SECRET}), entity.start, entity.end, 60)
        if named or any(abs(key - entity.start) < KEY_REACH for key in keys):
            yield Entity(SECRET, entity.start, entity.end, CERTAIN)


def pins(reading: Reading) -> Iterator[Entity]:
    """Four to eight digits that are said to be a PIN."""
    for entity, _ in reading.matches("PIN", PIN_FORM, LIKELY):
        if reading.labels.said(entity.start, entity.end, 25) == "PIN":
            yield entity


def passwords(reading: Reading) -> Iterator[Entity]:
    """What follows "password:"; after "is" only what no sentence goes on with."""
    for found in _named(reading, "PASSWORD"):
        yield Entity("PASSWORD", *found, LIKELY)
    for match in IN_A_URL.finditer(reading.text):
        yield Entity("PASSWORD", *match.span(2), CERTAIN)


def usernames(reading: Reading) -> Iterator[Entity]:
    """What follows "username:", and handles ("follow me, @ann_lee") that are named."""
    told: set[int] = set()
    for start, end in _named(reading, "USERNAME"):
        told.add(start)
        yield Entity("USERNAME", start, end, LIKELY)
    for match in IN_A_URL.finditer(reading.text):
        yield Entity("USERNAME", *match.span(1), CERTAIN)
    for match in HANDLE.finditer(reading.text):
        named = re.search(
            r"\b(?:follow|twitter|instagram|github|tiktok|telegram|discord|slack|handle|dm|message|account)\b[^\n@]{0,30}$",
            reading.text[max(0, match.start() - 50) : match.start()],
            re.IGNORECASE,
        )
        if named and match.start() not in told:
            yield Entity("USERNAME", *match.span(), LIKELY)


def _named(reading: Reading, kind: str) -> Iterator[tuple[int, int]]:
    """The words that are given after a label. A plain word counts only where its clause ends with it."""
    text = reading.text
    no_secrets = lists.words("no_secrets")
    for label, found in reading.after(kind, VALUE):
        value = found[0].rstrip(".,;:*")
        end = found.start() + len(value)
        joint = text[label.end : found.start()]
        quoted = joint[-1:] in "\"'`" and joint != ""
        if len(value) < 2 or value.lower() in no_secrets:
            continue
        if not (quoted or re.search(r"[:=#]|->|\bis\b|\bwas\b|\bare\b", joint) or re.search(r"\d", value)):
            continue
        if quoted or re.search(r"[\d_@#$%^&*+=~.!?-]|[a-z][A-Z]", value) or CLAUSE_END.match(text, end):
            yield found.start(), end


FINDERS: dict[str, Finder] = {
    ACCESS: access_keys,
    SECRET: secret_keys,
    "PIN": pins,
    "PASSWORD": passwords,
    "USERNAME": usernames,
}
