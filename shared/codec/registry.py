"""A Confluent-compatible schema registry: ids resolved and cached, its absence never poison."""

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from shared.errors import ConfigurationError, Transient, Undecodable, Unreachable
from shared.schemas import Schema, plain_schema
from shared.settings import Settings, shown

_TIMEOUT_S = 5.0
_BYTES_MAX = 1024 * 1024
_NOT_FOUND = 404


class HttpRegistry:
    """The registry at `url`. Ids never change their schema, so what was resolved is kept."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            msg = (
                f"COLOPHON_SCHEMA_REGISTRY_URL: begins with http:// or https:// (got {shown(url)})"
            )
            raise ConfigurationError(msg)
        self._url = url.rstrip("/")
        self._schemas: dict[int, Any] = {}
        self._ids: dict[int, int] = {}

    def plain_schema(self, number: int) -> Any:  # noqa: ANN401 - fastavro's parsed form
        """The schema under `number`; `Undecodable` if there is none, `Transient` if no answer."""
        if number not in self._schemas:
            answer = self._ask(f"/schemas/ids/{number}")
            if answer is None:
                raise Undecodable("schema-unknown", "the registry has no such id", id=number)
            self._schemas[number] = plain_schema(json.loads(answer["schema"]))
        return self._schemas[number]

    def id_of(self, schema: Schema) -> int:
        """The id of `schema` for its topic's values; `Transient` until it has been registered."""
        if schema.fingerprint not in self._ids:
            body = json.dumps({"schema": json.dumps(schema.published)}).encode()
            answer = self._ask(f"/subjects/{schema.topic}-value", body)
            if answer is None:
                raise Transient(
                    "schema-not-registered",
                    f"{schema.topic} v{schema.version} is not registered: colophon topics apply",
                )
            self._ids[schema.fingerprint] = int(answer["id"])
        return self._ids[schema.fingerprint]

    def register(self, schema: Schema) -> int:
        """Register `schema` for its topic's values (deploy time only) and return its id."""
        body = json.dumps({"schema": json.dumps(schema.published)}).encode()
        answer = self._ask(f"/subjects/{schema.topic}-value/versions", body)
        if answer is None:
            raise Transient("registry", f"the registry refused {schema.topic}")
        return int(answer["id"])

    def _ask(self, path: str, body: bytes | None = None) -> Any:  # noqa: ANN401 - JSON
        request = Request(  # noqa: S310 - the scheme was checked
            self._url + path,
            data=body,
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - see above
                return json.loads(answer.read(_BYTES_MAX))
        except HTTPError as error:
            if error.code == _NOT_FOUND:
                return None
            raise self._unreachable(error) from error
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            "registry",
            f"the schema registry does not answer as one: COLOPHON_SCHEMA_REGISTRY_URL="
            f"{shown(self._url)} ({error}); start it, or name one that runs",
        )


def registry_from(settings: Settings) -> HttpRegistry | None:
    """The registry that the settings name, or None."""
    return HttpRegistry(settings.schema_registry_url) if settings.schema_registry_url else None
