"""The process: models, emulator, guard and wire behind one port of 127.0.0.1, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
import uvloop

from localbedrock import environment, keys, lifecycle
from localbedrock.asgi import Answer, App, Receive, Scope, Send
from localbedrock.batch import jobs
from localbedrock.batch.runner import Runner as BatchRunner
from localbedrock.collection_indexes import CollectionIndexes
from localbedrock.emulator import MINISTACK_SERVICES, Call, Emulator
from localbedrock.guard import Guard
from localbedrock.handlers import HANDLERS
from localbedrock.knowledge.handlers import handlers as knowledge_handlers
from localbedrock.knowledge.host import make_host
from localbedrock.knowledge.ingestion import Runner as IngestionRunner
from localbedrock.reporter import Reporter
from localbedrock.s3 import Presigner
from localbedrock.store import Store
from localbedrock.text.host import ModelHost
from localbedrock.wire.dispatch import Dispatcher
from localbedrock.wire.worker import Report

KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 1
"""How long running answers may take to end once the endpoint is told to stop."""
FLUSH_SECONDS = 0.5
CALL_SECONDS = 10


@dataclass(frozen=True)
class Options:
    """How the endpoint is started."""

    port: int
    data_dir: Path
    emulator: str
    openai_url: str | None


def run(options: Options) -> None:
    """Serves until SIGTERM or SIGINT. Raises ``StartError``."""
    os.umask(0o077)
    try:
        keys.make_data_dir(options.data_dir)
        lifecycle.set_up_logging(options.data_dir)
        held = lifecycle.lock(options.data_dir)
    except OSError as error:
        reason = f"The data directory {options.data_dir} cannot be used: {error.strerror}."
        raise lifecycle.StartError(reason) from None
    with held, lifecycle.bind(options.port) as listener:
        uvloop.run(_serve(options, listener))


async def _serve(options: Options, listener: socket.socket) -> None:
    port: int = listener.getsockname()[1]
    pair = keys.load_or_create(options.data_dir)
    lambda_pair = keys.KeyPair(keys.ACCOUNT_ID, secrets.token_urlsafe(30))
    environment.prepare(options.data_dir, port, lambda_pair.secret, MINISTACK_SERVICES)
    models, emulator = await _load(options)
    environment.forget_settings()
    await emulator.start()
    store = Store(options.data_dir / "localbedrock.db")
    deliver = _delivery(emulator)
    report, stop_reports = _reporting(store, emulator, deliver)
    batches = BatchRunner(store, models, deliver)
    url = f"http://127.0.0.1:{port}"
    host = make_host(options.data_dir, deliver, Presigner(url, pair))
    ingestion = IngestionRunner(store, models, host)
    all_handlers = HANDLERS | jobs.handlers(batches.wake) | knowledge_handlers(host)
    dispatcher = Dispatcher(all_handlers, store, models, report)
    known = {pair.id: pair.secret, lambda_pair.id: lambda_pair.secret}
    guard = Guard(
        _routed(dispatcher, CollectionIndexes(store, emulator), emulator), known, is_bedrock=dispatcher.knows
    )
    keys.write_config(options.data_dir, url)
    try:
        await _Server(guard, url, host.indexes.warm_up, dispatcher.stop).serve(sockets=[listener])
    finally:
        await asyncio.to_thread(batches.stop, FLUSH_SECONDS)
        await asyncio.to_thread(ingestion.stop, FLUSH_SECONDS)
        await asyncio.to_thread(stop_reports)
        await emulator.stop()
        store.close()
        host.documents.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(models.close), FLUSH_SECONDS)


async def _load(options: Options) -> tuple[ModelHost, Emulator]:
    """The two slow parts of the start, side by side: the models in a thread, the emulator's import here."""
    loading = asyncio.create_task(asyncio.to_thread(ModelHost.load, options.openai_url))
    await asyncio.sleep(0)  # lets the thread begin
    try:
        emulator = Emulator.load(options.emulator)
    except (ImportError, AttributeError) as error:
        sentence = f"The emulator {options.emulator} cannot be loaded ({error})."
        raise lifecycle.StartError(f"{sentence} LOCALBEDROCK_EMULATOR=none does without one.") from error
    try:
        return await loading, emulator
    except Exception as error:
        raise lifecycle.StartError(f"The models cannot be loaded: {error}") from error


def _delivery(emulator: Emulator) -> Callable[[Call], Answer]:
    """Makes calls to the emulator from other threads."""
    loop = asyncio.get_running_loop()

    def deliver(call: Call) -> Answer:
        return asyncio.run_coroutine_threadsafe(emulator.call(call), loop).result(CALL_SECONDS)

    return deliver


def _reporting(
    store: Store, emulator: Emulator, deliver: Callable[[Call], Answer]
) -> tuple[Report, Callable[[], None]]:
    """Where inferences are reported to, and how that is ended; nowhere without an emulator."""
    if not emulator.present:
        return (lambda _inference, _request_id, _region: None), (lambda: None)
    reporter = Reporter(store, deliver)
    return reporter.report, lambda: reporter.stop(FLUSH_SECONDS)


def _routed(dispatcher: Dispatcher, indexes: CollectionIndexes, emulator: Emulator) -> App:
    """Bedrock's services share one signing name; what is signed for another belongs to the emulator, but for
    what it lacks.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["aws"].service == "bedrock":
            await dispatcher(scope, receive, send)
        elif indexes.serves(scope):
            await indexes(scope, receive, send)
        else:
            await emulator(scope, receive, send)

    return app


class _Server(uvicorn.Server):
    """uvicorn, with our own signals and our own line on stdout."""

    def __init__(self, app: App, url: str, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                loop="uvloop",
                http="httptools",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._url = url
        self._on_ready = on_ready
        self._on_stop = on_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn would raise the signal again at its end, before anything is saved."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(f"READY {self._url}", flush=True)  # noqa: T201 - the one line that whoever started us waits for
        self._on_ready()

    def _stop(self) -> None:
        self._on_stop()
        self.should_exit = True
