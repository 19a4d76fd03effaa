"""Files in the playground's prompt, and what is told before a send; only the wire below is scripted."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image
from streamlit.testing.v1 import AppTest

from services import backend, models, preflight, streaming
from services.backend import BackendStatus
from services.capabilities import Bound, Capabilities
from services.models import Catalogue, Model
from services.preflight import TokenCounter
from services.pricing import Price
from services.runs import Call
from services.runtime import Opened


def model(model_id: str, *modalities: str) -> Model:
    capabilities = Capabilities(
        family="known",
        streaming=True,
        input_modalities=frozenset(modalities),
        bounds={"maxTokens": Bound(1, 4096)},
        context_tokens=8000,
        max_output_tokens=4096,
    )
    return Model(
        model_id,
        "",
        model_id,
        "X",
        "foundation",
        model_id,
        capabilities=capabilities,
        output_modalities=frozenset({"TEXT"}),
        price=Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0),
    )


WORDS, EYES = model("alpha.words-v1:0", "TEXT"), model("beta.eyes-v1:0", "TEXT", "IMAGE", "DOCUMENT")


class Wire:
    """Answers every call, and counts 1,234 tokens for everything."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.counted: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def open(self, call: Call) -> Opened:
        self.calls.append(call)
        if self.error:
            raise self.error
        events: list[tuple[str, dict[str, Any]]] = [
            ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Seen."}}),
            ("contentBlockStop", {"contentBlockIndex": 0}),
            ("messageStop", {"stopReason": "end_turn"}),
        ]
        return Opened({}, iter(events), time.perf_counter(), lambda: None, lambda: None)

    def count_tokens(self, **request: Any) -> dict[str, int]:
        self.counted.append(request)
        return {"inputTokens": 1234}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    wire, counter = Wire(), TokenCounter()
    listed = Catalogue((WORDS, EYES))
    monkeypatch.setattr(streaming, "open_call", wire.open)
    monkeypatch.setattr(models, "catalogue", lambda identity: listed)
    monkeypatch.setattr(models, "resolve", lambda identity, text: listed.get(text))
    monkeypatch.setattr(models, "availability", lambda identity, text: ("available", ""))
    monkeypatch.setattr(preflight, "client", lambda name, identity: wire)
    monkeypatch.setattr(preflight, "counter", lambda: counter)
    ready = BackendStatus("ready", "http://127.0.0.1:1", "", None, 0)
    monkeypatch.setattr(backend, "status", lambda: ready)
    monkeypatch.setattr(backend, "ensure", lambda progress=None: ready)
    yield wire
    counter.close()


@pytest.fixture
def page(wire: Wire) -> AppTest:
    app = AppTest.from_file("../../Home.py", default_timeout=30)
    app.switch_page("pages/model_playground.py")
    app.run()
    assert not app.exception
    return app


def picture(format: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 3)).save(out, format)
    return out.getvalue()


def ask(page: AppTest, text: str, *files: tuple[str, bytes]) -> None:
    prompt = page.chat_input(key="playground_prompt")
    for name, data in files:
        prompt.upload(name, data)
    prompt.set_value(text).run()
    assert not page.exception
    preflight.counter().wait(10)
    page.run()
    assert not page.exception


def shown(page: AppTest) -> str:
    return "\n".join(element.value for kind in (page.markdown, page.caption, page.error) for element in kind)


def sent(call: Call) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = call.request["messages"][-1]["content"]
    return content


def test_a_document_reaches_the_request_under_a_name_that_aws_takes(page: AppTest, wire: Wire) -> None:
    ask(page, "Sum it up", ('Q3 "résumé" 😀.md', b"# Third quarter"))
    assert len(wire.calls) == 2
    for call in wire.calls:
        document, words = sent(call)
        assert document["document"]["name"] == "Q3 resume"
        assert document["document"]["format"] == "md"
        assert document["document"]["source"] == {"bytes": b"# Third quarter"}
        assert words == {"text": "Sum it up"}
    assert 'Q3 "résumé" 😀' in shown(page).replace("\\", "")
    ask(page, "Again", ("q.md", b"1"), ('Q3 "résumé" 😀.md', b"2"))
    assert [block["document"]["name"] for block in sent(wire.calls[-1])[:2]] == ["q", "Q3 resume (2)"]


def test_a_pane_that_takes_no_images_says_so_and_the_other_sends(page: AppTest, wire: Wire) -> None:
    ask(page, "What is this?", ("photo.png", picture("JPEG")))
    assert [call.model_id for call in wire.calls] == ["beta.eyes-v1:0"]
    assert sent(wire.calls[0])[0]["image"]["format"] == "jpeg"
    assert "alpha.words-v1:0 takes no images" in [error.proto.title.replace("\\", "") for error in page.error]
    captions = [caption for image in page.image for caption in image.captions]
    assert [caption.replace("\\", "") for caption in captions] == ["photo.png (sent as JPEG)"] * 2
    turn = page.session_state["playground"][0].turns[-1]
    assert turn.prompt_text == "What is this?"
    page.selectbox(key="playground_model_0").set_value("beta.eyes-v1:0").run()
    page.button(key="problem_action_0").click().run()
    assert not page.exception
    assert sent(wire.calls[-1]) == sent(wire.calls[0]), "the files stay with the turn"


def test_files_are_sent_again_after_an_error(page: AppTest, wire: Wire) -> None:
    refused = {"Code": "AccessDeniedException", "Message": "not authorized to perform: bedrock:X"}
    wire.error = ClientError({"Error": refused}, "ConverseStream")
    ask(page, "Read", ("a.txt", b"words"))
    wire.error = None
    page.button(key="playground_retry_1").click().run()
    assert sent(wire.calls[-1])[0]["document"]["source"] == {"bytes": b"words"}


def test_a_file_that_no_model_takes_holds_the_prompt_and_loses_nothing(page: AppTest, wire: Wire) -> None:
    ask(page, "Compare", ("bill.pdf", b"MZ\x90\0\x03\0"), ("a.txt", b"words"))
    assert wire.calls == []
    assert "a Windows program" in shown(page).replace("\\", "")
    page.button(key="playground_held_edit").click().run()
    assert page.text_area(key="playground_check_text").value == "Compare"
    page.button(key="playground_held_send").click().run()
    assert not page.exception
    assert len(wire.calls) == 2
    assert [*map(list, sent(wire.calls[0]))] == [["document"], ["text"]]
    assert not page.error


def test_a_document_alone_asks_for_words(page: AppTest, wire: Wire) -> None:
    ask(page, "", ("a.txt", b"words"))
    assert wire.calls == []
    page.button(key="playground_held_edit").click().run()
    page.text_area(key="playground_check_text").set_value("Summarise.").run()
    page.button(key="playground_check_send").click().run()
    assert len(wire.calls) == 2
    assert sent(wire.calls[0])[-1] == {"text": "Summarise."}


@pytest.mark.parametrize(
    ("name", "data"),
    [("big.pdf", b"%PDF-" + bytes(20_000_000)), ("empty.txt", b""), ("nul\0\n\"'😀.png", b"\0")],
)
def test_bad_files_are_a_sentence(page: AppTest, wire: Wire, name: str, data: bytes) -> None:
    ask(page, "Keep me", (name, data))
    assert wire.calls == []
    assert "What to do" in shown(page)
    assert page.session_state["playground_draft"].text == "Keep me"


def test_a_prompt_of_a_megabyte_with_null_characters_is_sent_whole(page: AppTest, wire: Wire) -> None:
    text = "\0 word" * 170_000
    ask(page, text)
    assert sent(wire.calls[0]) == [{"text": text}]
    assert len(shown(page)) < 300_000, "a browser would be busy for seconds"
    ask(page, "And?")
    assert wire.calls[-1].request["messages"][0]["content"] == [{"text": text}]


def test_the_line_under_a_pane_tells_the_tokens_of_its_chat(page: AppTest, wire: Wire) -> None:
    assert "tokens" not in "".join(caption.value for caption in page.caption)
    assert wire.counted == []
    ask(page, "Hi")
    captions = [caption.value for caption in page.caption if "Every next prompt sends" in caption.value]
    assert captions == [r"Every next prompt sends 1,234 tokens · \$0.0012 · 30.1% of 4,096"] * 2
    page.run()
    assert len(wire.counted) == 2, "a chat is counted once"


def test_a_draft_is_weighed_in_every_pane_and_sent_from_there(page: AppTest, wire: Wire) -> None:
    page.session_state["playground_check"] = True
    page.run()
    page.text_area(key="playground_check_text").set_value("Try this").run()
    preflight.counter().wait(10)
    page.run()
    words = shown(page)
    assert words.count("In: 1,234 tokens") == 2
    assert r"Out: at most 2,862 tokens · \$0.0057 · room left 2,862" in words
    assert wire.calls == []
    page.button(key="playground_check_send").click().run()
    assert [sent(call) for call in wire.calls] == [[{"text": "Try this"}]] * 2
    assert page.session_state["playground_draft"].empty


def test_a_file_in_the_draft_is_checked_for_each_model(page: AppTest, wire: Wire) -> None:
    page.session_state["playground_check"] = True
    page.run()
    page.text_area(key="playground_check_text").set_value("What is this?").run()
    page.file_uploader[0].upload("a.png", picture(), "image/png").run()
    assert not page.exception
    assert "takes no images" in shown(page).replace("\\", "")
    page.button(key="playground_check_send").click().run()
    assert [call.model_id for call in wire.calls] == ["beta.eyes-v1:0"]
