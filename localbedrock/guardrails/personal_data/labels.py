"""What the words beside a number say it is: "CVV", "passport number", "order"."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

OTHER = "OTHER"
"""Said to be something that is not personal: an order, a ticket, a version."""

LABELS: dict[str, str] = {
    "CREDIT_DEBIT_CARD_CVV": r"cvv2?|cvc2?|csc|(?:card )?security code|card verification(?: value)?",
    "CREDIT_DEBIT_CARD_NUMBER": r"(?:credit|debit|bank) cards?|card (?:number|no\b)|visa|mastercard|amex"
    r"|american express",
    "CREDIT_DEBIT_CARD_EXPIRY": r"exp(?:iry|ires|iration)?(?: date)?|valid (?:thru|through|until|till)",
    "PIN": r"pins?|personal identification",
    "US_SOCIAL_SECURITY_NUMBER": r"ssns?|social security|(?:my|his|her|their) social",
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER": r"itins?|(?:individual )?tax(?:payer)? (?:identification|id)",
    "US_PASSPORT_NUMBER": r"passports?",
    "DRIVER_ID": r"driv(?:er'?s?|ers'|ing) (?:licen[cs]e|permit|id)|dl(?=\W*\w*\d)"
    r"|licen[cs]e (?:number|no\b|id\b)",
    "LICENSE_PLATE": r"licen[cs]e plates?|number plates?|plates?|registration(?: plate| mark)?|tag number",
    "VEHICLE_IDENTIFICATION_NUMBER": r"vins?|vehicle identification|chassis",
    "US_BANK_ACCOUNT_NUMBER": r"(?:bank|checking|savings|current|deposit) (?:account|acct)s?"
    r"|account (?:number|no\b|num\b)"
    r"|account(?= ?#)|accts?",
    "US_BANK_ROUTING_NUMBER": r"routing|aba|rtn",
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": r"ibans?",
    "SWIFT_CODE": r"swift|bic",
    "CA_SOCIAL_INSURANCE_NUMBER": r"social insurance|sins?",
    "CA_HEALTH_NUMBER": r"health (?:card|number|insurance|care)|ohip|phn|ramq|care ?card",
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": r"nhs|national health service|patient (?:number|id)",
    "UK_NATIONAL_INSURANCE_NUMBER": r"nino|ni (?:number|no\b)|national insurance",
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER": r"utr|unique tax(?:payer)? reference|tax reference"
    r"|self[ -]assessment",
    "PHONE": r"(?:tele)?phones?|tel|mobile|cell(?:phone)?|fax|call(?:ed|ing)?|text|sms|whatsapp|dial(?:led)?"
    r"|ring|hotline|reach(?:ed)?|contact|(?:my|his|her|their|our) number",
    "IP_ADDRESS": r"ip(?:v[46])?(?: addr(?:ess)?)?",
    "MAC_ADDRESS": r"mac(?: addr(?:ess)?)?|bssid|ethernet",
    "USERNAME": r"user ?names?|user ?ids?|logins?|log-?in name|screen ?names?|handles?|nick(?:name)?s?",
    "PASSWORD": r"pass(?:words?|wd|phrase|code)|pwd",
    "AWS_SECRET_KEY": r"(?:aws[ _])?secret(?:[ _]?access)?(?:[ _]?key)?|secretaccesskey",
    OTHER: r"orders?|invoices?|tickets?|tracking|parcel|isbn(?:-1[03])?|issn|ean|upc|gtin|asin|sku|errors?"
    r"|codes?|case|ref(?:erence)?|transaction|booking|confirmation|serial|part|model|item|product|batch|lot|purchase"
    r"|request|job|process|pid|port|versions?|v|release|build|firmware|section|chapter|clause|employer"
    r"|ein|patent|doi|timestamp|epoch|flight|issue|bytes|hash|commit|price|total|amount|balance",
}
"""By type, in the order in which they are tried at one place."""

# ``aws_secret_access_key`` is one word with underscores, ``my_phone=`` too: an underscore is no letter here.
PATTERN = re.compile(
    r"(?<![^\W_])(?=[a-z])(?:"
    + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in LABELS.items())
    + r")(?![^\W_])(?:[ _-]?(?:numbers?|num|no|nr|codes?|id|address)(?![^\W_]))?",
    re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![^\W_])\d")
SAID_AFTERWARDS = re.compile(
    r" ?\((?:\w+ )?|\s{1,3}(?:is|was|are|as)\s{1,3}(?:(?:my|the|his|her|our|their|your|a)\s{1,3})?"
)


@dataclass(frozen=True)
class Label:
    """A word that says what stands beside it."""

    kind: str
    start: int
    end: int


class Labels:
    """All labels of a text."""

    def __init__(self, text: str) -> None:
        """Find them, in one pass."""
        self._text = text
        self.all = [Label(found.lastgroup or OTHER, *found.span()) for found in PATTERN.finditer(text)]
        self._ends = [label.end for label in self.all]
        self._by_start = {label.start: label for label in self.all}

    def of(self, kind: str) -> list[Label]:
        """The labels of one type."""
        return [label for label in self.all if label.kind == kind]

    def said(self, start: int, end: int, reach: int = 40) -> str | None:
        """The type of ``naming``."""
        label = self.naming(start, end, reach)
        return label.kind if label else None

    def naming(self, start: int, end: int, reach: int = 40) -> Label | None:
        """What ``text[start:end]`` is said to be: by the words right after it ("... is my PIN"), else by the
        nearest label before it, at most ``reach`` characters away and with no other number between.
        """
        after = SAID_AFTERWARDS.match(self._text, end)
        if after and (label := self._by_start.get(after.end())):
            return label
        index = bisect_right(self._ends, start) - 1
        if index < 0 or self._ends[index] < start - reach:
            return None
        if NUMBER.search(self._text, self._ends[index], start):
            return None
        return self.all[index]

    def near(self, kinds: frozenset[str], start: int, end: int, reach: int) -> bool:
        """Whether a label of one of the types stands within ``reach`` characters, on either side."""
        index = bisect_right(self._ends, start - reach)
        for label in self.all[index : index + reach]:
            if label.start > end + reach:
                return False
            if label.kind in kinds:
                return True
        return False
