"""Carries instructions out with boto3, and asks AWS what there is already."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from services import clients
from services.clients import Identity
from services.knowledge_build.instructions import (
    NOT_YET,
    PAUSE_S,
    TRIES,
    Call,
    Empty,
    Instruction,
    Measure,
    Upload,
    Wait,
    at,
    resolve,
)
from services.problems import Problem, ProblemError, from_exception

MISSING = frozenset(
    {"ResourceNotFoundException", "NoSuchEntity", "NoSuchBucket", "NoSuchKey", "NotFound", "404"}
)
"""The codes by which the services say that something does not exist."""
_LOCAL_PAUSE_S = 0.2


class StoppedError(Exception):
    """Somebody stopped the build."""


class FailedError(ProblemError):
    """A step failed; `problem` says how."""


class Execution:
    """Carries out the instructions of one build. `values` are what is known by now; `tell` hears of progress.

    Every method raises FailedError, and StoppedError soon after `stopped` is set.
    """

    def __init__(
        self,
        identity: Identity,
        files: Mapping[str, bytes],
        stopped: threading.Event,
        tell: Callable[[str], None],
    ) -> None:
        """`files` are the documents by name."""
        self.values: dict[str, Any] = {}
        self._identity = identity
        self.files = files
        self._stopped = stopped
        self._tell = tell
        self._pause_s = _LOCAL_PAUSE_S if identity.backend == "local" else PAUSE_S

    def ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """The answer of a call that changes nothing; None where what it asks for does not exist."""
        try:
            return self._send(service, operation, arguments)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            raise self._failed(error, operation) from error
        except Exception as error:
            raise self._failed(error, operation) from error

    def ask_or(self, service: str, operation: str, missing: str, **arguments: Any) -> dict[str, Any] | None:
        """As `ask`, where a service has a code of its own for what is missing."""
        try:
            return self.ask(service, operation, **arguments)
        except FailedError as error:
            if error.problem.code == missing:
                return None
            raise

    def rows(self, service: str, operation: str, member: str, **arguments: Any) -> list[dict[str, Any]]:
        """All rows of a list; [] where what it belongs to does not exist."""
        found: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while True:
            answer = self.ask(service, operation, **arguments, **token) or {}
            found += answer.get(member) or ()
            if not answer.get("nextToken"):
                return found
            token = {"nextToken": answer["nextToken"]}

    def objects(self, bucket: str, prefix: str) -> list[dict[str, Any]]:
        """The objects below a prefix, as ListObjectsV2 tells them."""
        found: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while True:
            answer = self.ask("s3", "ListObjectsV2", Bucket=bucket, Prefix=prefix, **token) or {}
            found += answer.get("Contents") or ()
            if not answer.get("NextContinuationToken"):
                return found
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    def run(self, instructions: Sequence[Instruction]) -> None:
        """Carry them out, one after the other."""
        for instruction in instructions:
            self._check()
            if isinstance(instruction, Call):
                self._call(instruction)
            elif isinstance(instruction, Wait):
                self._wait(instruction)
            elif isinstance(instruction, Measure):
                self._measure(instruction)
            elif isinstance(instruction, Upload):
                self._upload(instruction)
            else:
                self._empty(instruction)

    def _call(self, call: Call) -> None:
        if call.gives and all(name in self.values for name in call.gives):
            return
        arguments = resolve(call.arguments, self.values)
        for tries_left in reversed(range(TRIES + 1)):
            try:
                self._give(call, self._send(call.service, call.operation, arguments))
                return
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in call.fine:
                    return
                said = str(error).lower()
                if not (call.patient and tries_left and any(word in said for word in NOT_YET)):
                    raise self._failed(error, call.operation) from error
                self._tell("AWS does not know yet what was just made; trying again")
            except Exception as error:
                raise self._failed(error, call.operation) from error
            self._pause()

    def _wait(self, wait: Wait) -> None:
        call = wait.call
        while True:
            answer = self.ask(call.service, call.operation, **resolve(call.arguments, self.values)) or {}
            status = str(at(answer, wait.status) or "")
            if wait.tell:
                self._tell(wait.tell(answer))
            if status not in wait.going:
                break
            self._pause()
        if status not in wait.good:
            reason = at(answer, wait.failure) if wait.failure else None
            raise FailedError(_bad_end(call.operation, status, reason))
        self._give(call, answer)

    def _measure(self, measure: Measure) -> None:
        call = measure.call
        try:
            answer = self._send(call.service, call.operation, resolve(call.arguments, self.values))
            vector = at(json.loads(answer["body"].read()), measure.vector)
        except Exception as error:
            raise self._failed(error, call.operation) from error
        if not isinstance(vector, list) or not vector:
            raise FailedError(_NO_VECTOR)
        self.values[measure.name] = len(vector)

    def _upload(self, upload: Upload) -> None:
        for number, name in enumerate(upload.names, 1):
            self._check()
            self._tell(f"{number} of {len(upload.names)}")
            if name not in self.files:
                raise FailedError(_NO_FILE)
            arguments = {"Bucket": upload.bucket, "Key": upload.prefix + name, "Body": self.files[name]}
            self._run_one("s3", "PutObject", arguments)

    def _empty(self, empty: Empty) -> None:
        where = {"Bucket": empty.bucket, "Prefix": empty.prefix}
        while entries := (self.ask("s3", "ListObjectsV2", **where) or {}).get("Contents"):
            for entry in entries:
                self._check()
                self._run_one("s3", "DeleteObject", {"Bucket": empty.bucket, "Key": entry["Key"]})

    def _run_one(self, service: str, operation: str, arguments: Mapping[str, Any]) -> None:
        try:
            self._send(service, operation, arguments)
        except Exception as error:
            raise self._failed(error, operation) from error

    def _send(self, service: str, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        method = getattr(clients.client(service, self._identity), xform_name(operation))
        answer: dict[str, Any] = method(**arguments)
        return answer

    def _give(self, call: Call, answer: Mapping[str, Any]) -> None:
        self.values |= {name: at(answer, path) for name, path in call.gives.items()}

    def _failed(self, error: Exception, operation: str) -> FailedError:
        return FailedError(from_exception(error, operation=operation, identity=self._identity))

    def _pause(self) -> None:
        if self._stopped.wait(self._pause_s):
            raise StoppedError

    def _check(self) -> None:
        if self._stopped.is_set():
            raise StoppedError


def _bad_end(operation: str, status: str, reason: Any) -> Problem:
    words = "; ".join(map(str, reason)) if isinstance(reason, list) else str(reason or "")
    return Problem(
        code=status or "Missing",
        title=f"It ended as {status}" if status else "It does not exist any more",
        cause=words or f"{operation} gives no reason.",
        fix="Put right what the reason names, and go on from this step.",
        action="retry",
        message=words,
    )


_NO_VECTOR = Problem(
    code="NoVector",
    title="The embedding model gave no vector",
    cause="Its answer has another form than that of the models the workbench knows.",
    fix="Choose another embedding model.",
    action="choose_model",
)
_NO_FILE = Problem(
    code="NoFile",
    title="The documents are not here any more",
    cause="The workbench keeps dropped files only until it is restarted, and they were not uploaded before.",
    fix="Drop the documents again under the same name of the knowledge base; what is built is found again.",
)
