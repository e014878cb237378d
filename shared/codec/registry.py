"""A Confluent-compatible schema registry: what it says is kept, its absence never poison.

Only what a registry says of a schema is an answer. All else (no connection, a proxy's page, an
overload, no rights) means that it is not there for us now, and is tried again.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from shared.clock import monotonic
from shared.errors import ConfigurationError, Undecodable, Unreachable
from shared.schemas import Schema, misreadings, plain_schema
from shared.settings import LOCAL_REGISTRY, Settings, shown

COMPATIBILITY: Final = "FULL_TRANSITIVE"
"""Every version reads every other, as shared.evolution has it; some registries check nothing."""

_TIMEOUT_S = 5.0
_BYTES_MAX = 1024 * 1024
_PART_BYTES = 64 * 1024
_WORDS_MAX = 500
_REFUSED_MAX = 1000
_REFUSED_KEPT_S = 10.0
_ID_MAX = 2**31 - 1
_OK = 200
_SUBJECT_UNKNOWN, _SCHEMA_UNKNOWN, _INCOMPATIBLE = 40401, 40403, 409
_JSON = "application/vnd.schemaregistry.v1+json"


class _TooLarge(Unreachable):
    """The answer is longer than any schema of use may be."""


@dataclass(frozen=True)
class _Answer:
    """What a registry said: `error` is its code, 0 where it did what was asked."""

    content: Mapping[str, Any]
    error: int = 0


class _Refused(NamedTuple):
    """Why an id is of no use, for now: without the error's stack, which would be kept alive."""

    until_s: float
    code: str
    message: str
    facts: Mapping[str, str]


class HttpRegistry:
    """The registry at `url`. Ids never change their schema, so what was resolved is kept.

    What is of no use is kept for a while too, so that many records of one such id ask once.
    """

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._named = f"COLOPHON_SCHEMA_REGISTRY_URL={shown(url)}"
        self._headers = {"Content-Type": _JSON, "Accept": f"{_JSON}, application/json"}
        if user := self._parts.netloc.rpartition("@")[0]:
            self._headers["Authorization"] = f"Basic {b64encode(unquote(user).encode()).decode()}"
        self._schemas: dict[int, Any] = {}
        self._refused: dict[int, _Refused] = {}
        self._ids: dict[int, int] = {}

    def plain_schema(self, number: int) -> Any:  # noqa: ANN401 - fastavro's parsed form
        """The schema under `number`.

        Raises `Undecodable` where the registry has none of use, `Unreachable` where it is away.
        """
        if number not in self._schemas:
            self._schemas[number] = self._looked_up(number)
        return self._schemas[number]

    def id_of(self, schema: Schema) -> int:
        """The id of `schema` for its topic's values; `Unreachable` until it has been registered."""
        if (number := self.find(schema)) is None:
            raise Unreachable(
                "schema-not-registered",
                f"{schema.name} is not registered: colophon topics apply",
            )
        return number

    def find(self, schema: Schema) -> int | None:
        """The id of `schema` for its topic's values, None where it is not registered."""
        if schema.fingerprint not in self._ids:
            answer = self._ask("POST", f"/subjects/{_subject(schema)}", _body(schema))
            if answer.error in (_SUBJECT_UNKNOWN, _SCHEMA_UNKNOWN):
                return None
            self._keep(schema, answer)
        return self._ids[schema.fingerprint]

    def register(self, schema: Schema) -> int:
        """Register `schema` for its topic's values (deploy time only) and return its id.

        Raises `ConfigurationError` where the registry finds it incompatible.
        """
        subject = _subject(schema)
        level = self._ask("PUT", f"/config/{subject}", {"compatibility": COMPATIBILITY})
        if level.error:
            raise self._unusable(_words(level))
        answer = self._ask("POST", f"/subjects/{subject}/versions", _body(schema))
        if answer.error == _INCOMPATIBLE:
            msg = (
                f"{schema.name} is not registered: it is incompatible with a"
                f" version that subject {subject} has in the schema registry ({self._named}):"
                f" {_words(answer)}. A breaking change is a topic of its own; where the registry"
                " has what was never released, delete that version there, then apply again"
            )
            raise ConfigurationError(msg)
        return self._keep(schema, answer)

    def _keep(self, schema: Schema, answer: _Answer) -> int:
        """Remember the id of a schema of ours, both ways."""
        number = answer.content.get("id")
        if answer.error or not isinstance(number, int):
            raise self._unusable(_words(answer))
        self._ids[schema.fingerprint] = number
        self._schemas[number] = schema.plain
        return number

    def _looked_up(self, number: int) -> Any:  # noqa: ANN401 - fastavro's parsed form
        """What the registry says of `number`, or said lately where it is of no use."""
        known = self._refused.pop(number, None)
        if known is not None and monotonic() < known.until_s:
            self._refused[number] = known
            raise Undecodable(known.code, known.message, **known.facts)
        try:
            return self._fetched(number)
        except Undecodable as error:
            if len(self._refused) >= _REFUSED_MAX:
                del self._refused[next(iter(self._refused))]
            until_s = monotonic() + _REFUSED_KEPT_S
            self._refused[number] = _Refused(until_s, error.code, error.message, error.facts)
            raise

    def _fetched(self, number: int) -> Any:  # noqa: ANN401 - fastavro's parsed form
        if number > _ID_MAX:
            raise Undecodable("schema-unknown", "no registry gives out such an id", id=number)
        try:
            answer = self._ask("GET", f"/schemas/ids/{number}")
        except _TooLarge as error:
            raise Undecodable(
                "schema-unusable", f"its schema is over {_BYTES_MAX} bytes"
            ) from error
        if answer.error == _SCHEMA_UNKNOWN:
            raise Undecodable("schema-unknown", "the registry has no such id", id=number)
        text = answer.content.get("schema")
        if answer.error or not isinstance(text, str):
            raise self._unusable(_words(answer))
        try:
            avro = json.loads(text)
            misread, plain = list(misreadings(avro)), plain_schema(avro)
        except Exception as error:
            raise Undecodable(
                "schema-unusable",
                f"its schema is no Avro record of use: {type(error).__name__}: {error}"[
                    :_WORDS_MAX
                ],
                id=number,
                type=answer.content.get("schemaType", "AVRO"),
            ) from error
        if misread:
            raise Undecodable("schema-incompatible", "; ".join(misread)[:_WORDS_MAX], id=number)
        return plain

    def _ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> _Answer:
        """Ask directly: a proxy in the environment is for the web, as for broker and database."""
        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=_TIMEOUT_S)
        data = None if body is None else json.dumps(body)
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, data, self._headers)
            answer = connection.getresponse()
            content = self._content(answer)
        except (OSError, HTTPException) as error:
            raise self._unusable(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        try:
            found = _object(content)
            return _Answer(found, 0 if answer.status == _OK else int(found["error_code"]))
        except (ValueError, TypeError, KeyError) as error:
            raise self._unusable(f"HTTP {answer.status} {answer.reason}") from error

    def _content(self, answer: HTTPResponse) -> bytes:
        """The body, within bounds of size and time."""
        until, content = monotonic() + _TIMEOUT_S, b""
        while part := answer.read1(_PART_BYTES):
            content += part
            if len(content) > _BYTES_MAX and "json" in answer.headers.get_content_type():
                raise _TooLarge("registry", f"{self._named} answered over {_BYTES_MAX} bytes")
            if len(content) > _BYTES_MAX or monotonic() > until:
                raise TimeoutError("an endless answer")
        return content

    def _unusable(self, cause: str) -> Unreachable:
        return Unreachable(
            "registry",
            f"the schema registry does not answer as one: {self._named}"
            f" ({cause[:_WORDS_MAX]}); start it, or name one that runs and lets us in",
        )


def registry_from(settings: Settings) -> HttpRegistry | None:
    """The registry that the settings name, or None."""
    if settings.schema_registry_url == LOCAL_REGISTRY:
        msg = (
            f"COLOPHON_SCHEMA_REGISTRY_URL={LOCAL_REGISTRY} is the registry of the local stack:"
            " beside servers of your own, name yours"
        )
        raise ConfigurationError(msg)
    return HttpRegistry(settings.schema_registry_url) if settings.schema_registry_url else None


def _subject(schema: Schema) -> str:
    return f"{schema.topic}-value"


def _body(schema: Schema) -> dict[str, str]:
    return {"schema": json.dumps(schema.published)}


def _object(content: bytes) -> Mapping[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 -- handled with what json raises
    return found


def _words(answer: _Answer) -> str:
    """What the registry says, with its code."""
    return f"{answer.content.get('message', 'without the field asked for')} ({answer.error})"
