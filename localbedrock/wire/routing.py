"""From a method and a path to the operation they mean.

The four Bedrock services share one signing name and one address here, so a path alone must tell them apart,
as their URI templates do down to the trailing slash: ``POST /agents/x/`` prepares an agent, ``POST
/agents/x`` invokes an inline one. Ids arrive with ``:`` bare or as ``%3A``, ARNs with ``/`` bare or as
``%2F``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import ServiceModel

SERVICES = ("bedrock-runtime", "bedrock", "bedrock-agent", "bedrock-agent-runtime")

# One path segment, or an ARN with whatever slashes it has.
_LABEL = r"([^/]+|arn(?::|%3[Aa])[^/].*)"


def load_services(names: Iterable[str] = SERVICES) -> dict[str, Any]:
    """Botocore's models of the services, by service name."""
    loader = Loader()
    return {name: ServiceModel(loader.load_service_model(name, "service-2"), name) for name in names}


@dataclass(frozen=True)
class Route:
    """One operation and how its requests look."""

    service: str
    operation: str
    model: Any
    """botocore's ``OperationModel``."""
    pattern: re.Pattern[str]
    labels: tuple[str, ...]
    literal_length: int


class Router:
    """Finds the route of a request among all operations of the services."""

    def __init__(self, services: dict[str, Any], implemented: Collection[tuple[str, str]] = ()) -> None:
        """``implemented`` decides between services with one template (``POST /tags/{resourceArn}``)."""
        self._routes: dict[tuple[str, str], list[Route]] = {}
        for service, model in services.items():
            for name in model.operation_names:
                route = _route(service, model.operation_model(name))
                first_segment = route.model.http["requestUri"].split("/")[1]
                self._routes.setdefault((route.model.http["method"], first_segment), []).append(route)
        for routes in self._routes.values():
            routes.sort(key=lambda r: (-r.literal_length, (r.service, r.operation) not in implemented))

    def match(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its decoded labels for a path as it was sent; None if no operation looks like it."""
        routes = self._routes.get((method, path.split("/")[1]), ()) if path.startswith("/") else ()
        for candidate in (path, path[:-1] if path.endswith("/") else path + "/"):
            for route in routes:
                if found := route.pattern.fullmatch(candidate):
                    return route, dict(zip(route.labels, map(unquote, found.groups()), strict=True))
        return None


def _route(service: str, operation: Any) -> Route:
    template = operation.http["requestUri"].split("?")[0]
    parts = re.split(r"\{([^}+]+)\+?\}", template)
    literals, labels = parts[::2], parts[1::2]
    pattern = re.compile(_LABEL.join(map(re.escape, literals)))
    return Route(service, operation.name, operation, pattern, tuple(labels), sum(map(len, literals)))
