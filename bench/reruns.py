"""What a change of a setting costs once six panes hold long conversations: the page's script alone.

Runs in a process of its own: `python -m bench.reruns` prints {"full_ms", "empty_ms", "first_ms"} as JSON. It
expects the environment of an app that talks to the bench's Bedrock.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

from bench.report import Row
from scripts.served_app import ROOT

PANES = 6
TURNS = 50
ROUNDS = 15


def measure(environment: dict[str, str]) -> list[Row]:
    """Rows on a parameter that changes in a full playground, and on the first time that one is drawn."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.reruns"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    full, empty, first = found["full_ms"], found["empty_ms"], found["first_ms"]
    panes = f"{PANES} panes of {TURNS} turns"
    return [
        Row(
            f"page script: a parameter changes, {panes}, median",
            f"{full:.0f} ms",
            f"two empty panes {empty:.0f} ms",
            f"x{full / empty:.2f}",
            "100 ms",
        ),
        Row(f"page script: first render, warm, {panes}", f"{first:.0f} ms", "", "", "300 ms"),
    ]


def main() -> None:
    """Times the script with Streamlit's own test runner, which draws for no browser."""
    from streamlit.testing.v1 import AppTest

    from services.clients import Identity
    from services.conversations import Pane, Settings, Turn
    from services.runs import Call, Run, TokenUsage

    identity = Identity("aws", None, "us-east-1")

    def turn(number: int) -> Turn:
        prompt = {"text": f"Question {number}: " + "what is it about? " * 20}
        content = [{"text": f"Answer {number}. " + "It is **about** this and that. " * 40}]
        call = Call(operation="ConverseStream", request={}, identity=identity)
        run = Run(
            id=f"{number:032x}",
            call=call,
            started_at=datetime.now(UTC),
            state="done",
            latency_ms=900,
            ttft_ms=90,
            usage=TokenUsage(input_tokens=100, output_tokens=200),
            response={
                "output": {"message": {"role": "assistant", "content": content}},
                "stopReason": "end_turn",
            },
        )
        return Turn(prompt=(prompt,), run=run)

    def opened() -> Any:
        app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=60)
        app.switch_page("pages/model_playground.py")
        return app

    def changes_ms(app: Any) -> float:
        app.session_state["playground_settings_0"] = True
        app.run()
        found = []
        for change in range(ROUNDS):
            field = app.number_input(key="playground_parameter_0_temperature")
            started = time.perf_counter()
            field.set_value(0.1 * (1 + change % 8)).run()
            found.append(1000 * (time.perf_counter() - started))
        return statistics.median(found)

    app = opened()
    app.run()
    model_id = app.session_state["playground"][0].settings.model_id
    empty_ms = changes_ms(app)
    full = opened()
    full.session_state["playground"] = [
        Pane(Settings(model_id=model_id), [turn(PANES * number + pane) for number in range(TURNS)])
        for pane in range(PANES)
    ]
    started = time.perf_counter()
    full.run()
    first_ms = 1000 * (time.perf_counter() - started)
    print(json.dumps({"full_ms": changes_ms(full), "empty_ms": empty_ms, "first_ms": first_ms}))


if __name__ == "__main__":
    main()
