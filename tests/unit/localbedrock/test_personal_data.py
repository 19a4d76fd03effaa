"""Personal data: every type is found, nothing that looks like it, at the right place, in linear time."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest
from botocore.session import get_session
from stdnum import iban, luhn
from stdnum.iso7064 import mod_97_10

from localbedrock.embeddings import Embedder
from localbedrock.guardrails.normal_text import normal
from localbedrock.guardrails.personal_data import FINDERS
from localbedrock.guardrails.personal_data.documents import has_check_digit
from localbedrock.guardrails.pii import assess, find_entities

ALL_TYPES = sorted(FINDERS)
NO_EMBEDDER = cast(Embedder, None)


def matches(kind: str, text: str) -> list[str]:
    return [text[entity.start : entity.end] for entity in find_entities(text, [kind])]


def card(begin: str, length: int = 16) -> str:
    digits = begin.ljust(length - 1, "7")
    return digits + luhn.calc_check_digit(digits)


def german_iban() -> str:
    account = "500105175407324931"
    return f"DE{mod_97_10.calc_check_digits(account + 'DE')}{account}"


# What stands between « and » is told, and nothing else of the type.
FOUND = {
    "ADDRESS": [
        "The capital of «Italy» is «Rome».",
        "Ship it to «221B Baker Street, London», please",
        "I live at «123 Main Street, Apt 4B, Springfield, IL 62704».",
        "Er wohnt in der «Hauptstraße 12».",
        "Send it to «P.O. Box 1234»",
        "We moved to «Jordan» last year",
        "The office near «SW1A 1AA» is closed",
    ],
    "AGE": [
        "I am «42 years» old",
        "a «7-year»-old boy",
        "Patient, aged «63», male",
        "My age is «31»",
        "She was born on «12 May 1987»",
    ],
    "AWS_ACCESS_KEY": [
        "key AKIAIOSFODNN7EXAMPLE".replace("AKIA", "«AKIA").replace("MPLE", "MPLE»"),
        "id=«ASIAJEXAMPLEXEG2JICE»;",
    ],
    "AWS_SECRET_KEY": [
        "aws_secret_access_key = «wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»",
        "AKIAIOSFODNN7EXAMPLE «wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»",
    ],
    "CA_HEALTH_NUMBER": ["OHIP number «1234-567-897»", "Her health card is «9876 543 217 AB»"],
    "CA_SOCIAL_INSURANCE_NUMBER": [
        "My SIN is «130 692 544»",
        "«130-692-544»",
        "social insurance number: «130692544»",
    ],
    "CREDIT_DEBIT_CARD_CVV": ["CVV «123»", "the security code is «4821»", "«456» is the CVC"],
    "CREDIT_DEBIT_CARD_EXPIRY": [
        "exp «09/27»",
        "valid thru «12/2029»",
        "My Visa expires «03/28»",
        "card expires on «May 2028»",
    ],
    "CREDIT_DEBIT_CARD_NUMBER": [
        f"«{card('4')}»",
        "pay with «4111 1111 1111 1111» 123",
        "«3782-822463-10005»",
        f"cards «{card('51')}», «{card('6011')}»",
    ],
    "DRIVER_ID": [
        "My driver's license is «D1234567»",
        "driving licence «MORGA657054SM9IJ»",
        "Driver license number: «S530-4601-2345»",
    ],
    "EMAIL": ["Write to «ann.lee+x@mail.example.co.uk».", "<«bob@example.org»>", "«josé@example.es», thanks"],
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": [
        f"«{german_iban()}»",
        f"to «{iban.format(german_iban())}» AND THEN",
        "«gb82west12345698765432»",
    ],
    "IP_ADDRESS": [
        "from «192.168.1.10».",
        "ping «2001:db8::8a2e:370:7334»",
        "http://«10.0.0.1»/x",
        "host «10.0.0.1»:8080",
    ],
    "LICENSE_PLATE": ["License plate «7ABC123»", "his number plate is «AB12 CDE»", "plate: «ABC-1234»"],
    "MAC_ADDRESS": ["«00:1A:2B:3C:4D:5E»", "mac «00-1a-2b-3c-4d-5e».", "«001a.2b3c.4d5e»"],
    "NAME": [
        "My name is «John Smith» and I am here",
        "Dear «Sarah»,",
        "«Dr. Priya Raghunathan»".replace("«Dr. ", "Dr. «"),
        "I met «Maria García» and «Will Smith» today",
        "Is «Emma»'s order ready?",
        "my name is «maria gonzalez», hello",
    ],
    "PASSWORD": [
        "password: «hunter2»",
        "My password for the wifi is «Sunflower99!»",
        "pwd=«s3cr3t»; x",
        "https://ann:«pa55»@host/",
    ],
    "PHONE": [
        "call (206) 555-0100".replace("(206) 555-0100", "«(206) 555-0100»"),
        "«+44 20 7946 0958» is London",
        "«206-555-0100»",
        "my cell is «2065550100»",
        "Ring «020 7946 0958».",
        "https://example.com/?tel=«2065550100»",
    ],
    "PIN": ["My PIN is «4821»", "pin code: «123456»", "«9921» is my PIN"],
    "SWIFT_CODE": ["SWIFT code «DEUTDEFF500»", "BIC: «CHASUS33»", "wire it to the bank, «NWBKGB2L»"],
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": ["NHS number «943 476 5919»", "My NHS no. is «9434765919»"],
    "UK_NATIONAL_INSURANCE_NUMBER": [
        "«AB123456C»",
        "NI number «AB 12 34 56 C»",
        "national insurance ab123456c".replace("ab1", "«ab1") + "»",
    ],
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER": ["UTR «1955839661»", "unique taxpayer reference: «19558 39661»"],
    "URL": ["see «https://example.com/a?b=c».", "(«www.example.org/x_(y)»)", "go to «example.com/path», now"],
    "USERNAME": ["username: «alice_w»", "My user name is «jdoe85».", "follow me on Twitter «@ann_lee»"],
    "US_BANK_ACCOUNT_NUMBER": ["account number «12345678901»", "My checking account is «000123456789»"],
    "US_BANK_ROUTING_NUMBER": ["routing number «021000021»", "ABA: «011401533»"],
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER": ["ITIN «900-70-0000»", "his ITIN is «912711234»"],
    "US_PASSPORT_NUMBER": ["passport number «123456789»", "My passport is «A12345678»"],
    "US_SOCIAL_SECURITY_NUMBER": [
        "«123-45-6789»",
        "SSN: «536904399»",
        "social security number 536 90 4399".replace("536 ", "«536 ") + "»",
    ],
    "VEHICLE_IDENTIFICATION_NUMBER": ["«1HGCM82633A004352»", "VIN «WVWZZZ1JZXW000001»"],
}

NOTHING = {
    "ADDRESS": [
        "A china cup and a turkey sandwich",
        "Jordan is late",
        "In 2024 we had 12 open tickets",
        "Chad called",
    ],
    "AGE": [
        "a 12-year-old whisky",
        "I am 34 minutes late",
        "the house is 90 years old",
        "version 42",
        "3 years of warranty",
    ],
    "AWS_ACCESS_KEY": ["AKIA", "AKIAIOSFODNN7EXAMPLETOOLONG", "akiaiosfodnn7example"],
    "AWS_SECRET_KEY": [
        "commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEX",
    ],
    "CA_HEALTH_NUMBER": ["order 1234-567-897", "1234 567 897"],
    "CA_SOCIAL_INSURANCE_NUMBER": ["SIN 130 692 545", "we sold 130 692 544 units", "order 130-692-544"],
    "CREDIT_DEBIT_CARD_CVV": ["room 123", "error code 404", "CVV is three digits"],
    "CREDIT_DEBIT_CARD_EXPIRY": ["the milk expires 09/27", "on 09/27 we met", "exp 13/27"],
    "CREDIT_DEBIT_CARD_NUMBER": [
        "order 1234567812345678",
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "1.4111111111111111",
    ],
    "DRIVER_ID": [
        "I lost my driver's license yesterday",
        "license MIT",
        "the driver's license form from 2024",
    ],
    "EMAIL": ["logo@2x.png", "react@18.2.0", "ann@localhost", "a @ b.com", "@ann_lee"],
    "INTERNATIONAL_BANK_ACCOUNT_NUMBER": ["GB82 WEST 1234 5698 7654 33", "US12 3456 7890 1234 5678"],
    "IP_ADDRESS": [
        "version 1.2.3.4",
        "v1.2.3.4",
        "256.1.1.1",
        "1.2.3.4.5",
        "at 12:30:45",
        "std::vector",
        "Chrome/120.0.0.0",
    ],
    "LICENSE_PLATE": ["license plates are made here", "a plate of pasta", "ABC-1234"],
    "MAC_ADDRESS": ["00:1A:2B:3C:4D", "12-05-20-18-30-45", "00:1A:2B:3C:4D:5E:6F"],
    "NAME": [
        "May I ask if Will there be Rose wine?",
        "Mark the date in April",
        "Chase Bank and Amazon Web Services",
        "The Grace Period ends in June",
        "My name is not important",
        "Paris and Austin are cities",
    ],
    "PASSWORD": [
        "Password is required",
        "I forgot my password.",
        "reset your password: click the link below",
        "password incorrect",
    ],
    "PHONE": [
        "2026-11-25 10:30:00",
        "order 2065550100",
        "ISBN 978-3-16-148410-0",
        "$1,234,567.89",
        "192.168.100.200",
        "555 1234",
        "123-45-6789",
    ],
    "PIN": ["pin 13 of the chip", "PIN is required", "in 2024", "order 4821"],
    "SWIFT_CODE": ["DOCUMENT the bank", "SWIFT is a language", "ABCDUS33 is a part"],
    "UK_NATIONAL_HEALTH_SERVICE_NUMBER": ["NHS number 943 476 5918", "943 476 5919"],
    "UK_NATIONAL_INSURANCE_NUMBER": ["BG123456C", "AB123456E", "AB1234567C"],
    "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER": ["UTR 1955839662", "1955839661"],
    "URL": ["write to ann@example.com", "e.g. this.", "main.py and README.md", "version 1.2.3"],
    "USERNAME": ["Username is required", "@property", "the username field"],
    "US_BANK_ACCOUNT_NUMBER": ["order number 12345678901", "account 42", "12345678901"],
    "US_BANK_ROUTING_NUMBER": ["routing number 021000022", "021000021"],
    "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER": ["900-12-0000", "123-45-6789"],
    "US_PASSPORT_NUMBER": ["order 123456789", "passport 12345"],
    "US_SOCIAL_SECURITY_NUMBER": ["000-12-3456", "666-12-3456", "123-00-6789", "123456789", "1-123-45-6789"],
    "VEHICLE_IDENTIFICATION_NUMBER": ["1HGCM82633A004353", "12345678901234567"],
}


def test_every_type_of_aws_is_looked_for() -> None:
    model = get_session().get_service_model("bedrock-runtime")
    assert sorted(model.shape_for("GuardrailPiiEntityType").enum) == ALL_TYPES
    assert FOUND.keys() == NOTHING.keys() == set(ALL_TYPES)


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_a_type_is_found_where_it_stands(kind: str) -> None:
    for marked in FOUND[kind]:
        expected = [part.split("»")[0] for part in marked.split("«")[1:]]
        assert matches(kind, marked.replace("«", "").replace("»", "")) == expected, marked


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_what_looks_like_it_is_not_told(kind: str) -> None:
    for text in NOTHING[kind]:
        assert matches(kind, text) == [], text


def test_a_check_digit_of_a_vehicle_may_be_x() -> None:
    assert has_check_digit("1M8GDM9AXKP042788")
    assert not has_check_digit("1M8GDM9A1KP042788")


@pytest.mark.parametrize(
    ("text", "kind", "match"),
    [
        ("😀😀 4111 1111 1111 1111", "CREDIT_DEBIT_CARD_NUMBER", "4111 1111 1111 1111"),
        (
            "4111\u200b1111\u200b1111\u200b1111!",
            "CREDIT_DEBIT_CARD_NUMBER",
            "4111\u200b1111\u200b1111\u200b1111",
        ),
        (
            "４１１１ １１１１ １１１１ １１１１",
            "CREDIT_DEBIT_CARD_NUMBER",
            "４１１１ １１１１ １１１１ １１１１",
        ),
        ("\u202eann@example.com\u202c", "EMAIL", "ann@example.com"),
        ("an\u200bn@exam\u00adple.com", "EMAIL", "an\u200bn@exam\u00adple.com"),
        ("SSN 123–45–6789", "US_SOCIAL_SECURITY_NUMBER", "123–45–6789"),
        ("My name is Jose\u0301 Garci\u0301a.", "NAME", "Jose\u0301 Garci\u0301a"),
    ],
)
def test_a_match_stands_where_it_is_in_the_given_text(text: str, kind: str, match: str) -> None:
    assert matches(kind, text) == [match]


def test_a_normal_text_keeps_the_place_of_every_character() -> None:
    given = "ﬁ e\u0301\u200b１😀"
    plain = normal(given)
    assert plain.text == "fi é1😀"
    assert [given[slice(*plain.span(index, index + 1))] for index in range(len(plain.text))] == [
        "ﬁ", "ﬁ", " ", "e\u0301", "１", "😀",
    ]  # fmt: skip


def test_no_type_hides_another() -> None:
    text = "https://example.com/?mail=ann@example.com&tel=2065550100&ip=10.0.0.1"
    found = {entity.type: text[entity.start : entity.end] for entity in find_entities(text, ALL_TYPES)}
    assert found.keys() >= {"URL", "PHONE", "IP_ADDRESS", "EMAIL"}
    assert found["URL"] == text


def test_a_number_is_what_the_words_beside_it_say() -> None:
    text = "SSN 123-45-6789, phone 206-555-0100, order 4821, PIN 4821, CVV 123"
    told = [(entity.type, text[entity.start : entity.end]) for entity in find_entities(text, ALL_TYPES)]
    assert told == [
        ("US_SOCIAL_SECURITY_NUMBER", "123-45-6789"),
        ("PHONE", "206-555-0100"),
        ("PIN", "4821"),
        ("CREDIT_DEBIT_CARD_CVV", "123"),
    ]
    assert text.index("PIN 4821") + 4 == find_entities(text, ["PIN"])[0].start


def test_ordinary_prose_has_no_personal_data() -> None:
    text = (
        "Please restart the service after release 2.14.3 (build 20260411). The invoice INV-2026-00412 over"
        " $1,299.00 was paid on 2026-05-14 at 10:42:07; tracking 1Z999AA10123456784 arrives in May."
        " Error 0x80070005 means access is denied. Will it be fixed in June? The ISBN is 978-0-13-468599-1 and the SHA is"
        " 9fceb02d0ae598e95dc970b74767f19372d61af8."
        " Mark it as done, and rose sales by 12.5 % since 2019-2020."
    )
    assert find_entities(text, ALL_TYPES) == []


def config(kind: str, **settings: Any) -> dict[str, Any]:
    return {"type": kind, "action": "BLOCK", **settings}


def test_an_assessment_tells_every_match_and_what_was_not_found() -> None:
    policy = {"piiEntities": [config("EMAIL", action="ANONYMIZE"), config("PHONE")]}
    found = assess(policy, "ann@example.com, bob@example.com", "INPUT", NO_EMBEDDER)
    assert [dict(one.item) for one in found] == [
        {"match": "ann@example.com", "type": "EMAIL", "action": "ANONYMIZED", "detected": True},
        {"match": "bob@example.com", "type": "EMAIL", "action": "ANONYMIZED", "detected": True},
        {"match": "", "type": "PHONE", "action": "NONE", "detected": False},
    ]
    assert [(one.start, one.end, one.mask) for one in found] == [
        (0, 15, "{EMAIL}"),
        (17, 32, "{EMAIL}"),
        (None, None, ""),
    ]


def test_each_side_has_its_own_action() -> None:
    policy = {
        "piiEntities": [
            config(
                "EMAIL", inputAction="NONE", outputAction="ANONYMIZE", inputEnabled=True, outputEnabled=True
            ),
            config("URL", inputEnabled=False),
        ]
    }
    text = "ann@example.com www.example.com"
    given = assess(policy, text, "INPUT", NO_EMBEDDER)
    assert [(one.item["type"], one.action, one.item["detected"]) for one in given] == [
        ("EMAIL", "NONE", True)
    ]
    told = assess(policy, text, "OUTPUT", NO_EMBEDDER)
    assert [(one.item["type"], one.action) for one in told] == [("EMAIL", "ANONYMIZED"), ("URL", "BLOCKED")]


def test_a_policy_of_regexes_alone_has_no_personal_data() -> None:
    assert assess({"regexes": []}, "ann@example.com", "INPUT", NO_EMBEDDER) == []


@pytest.mark.parametrize(
    "piece",
    ["1", "a@", " ", "\n", "4 ", "1-", "A ", "GB11 ", "(", "é", "1:", "a://b:", "call 12345678 ",
     "exp 09/27 ", "password is ", "Ab ", "Rome, ", "John ", "my name is ", "020794609580 ", "a.b@a.", "www.", "\u200b", "4111 1111 "],
)  # fmt: skip
def test_any_text_of_100000_characters_is_read_in_a_moment(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    started = time.process_time()
    find_entities(text, ALL_TYPES)
    assert time.process_time() - started < 5  # linear is below one second; what is not takes minutes
