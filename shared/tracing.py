"""OpenTelemetry export: what is done with a record is a span of the trace that its headers name.

Off, and nothing of it imported, unless a standard variable names a collector. Spans leave in a
thread of their own; where the collector is away they are dropped, and nothing else happens.
"""

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from shared.clock import system_now
from shared.kafka import ClientLog
from shared.logging import logger
from shared.runtime.records import Arrival, header_in, headers_from
from shared.settings import Settings
from shared.topology import BY_NAME
from shared.trace import Context, parsed

if TYPE_CHECKING:
    from opentelemetry.trace import SpanKind

_STOP_S: Final = 2.0
_VENDOR: Final = "colophon="
_ID_MAX: Final = 200  # ours are shorter; a stranger's header may hold anything


@dataclass(frozen=True)
class _Span:
    """A span that is over: where it stands in its trace, times in nanoseconds since the epoch."""

    name: str
    kind: "SpanKind"
    trace: str
    own: str
    parent: Context | None
    start_ns: int
    end_ns: int
    attributes: dict[str, str | int]


class Export:
    """Sends the spans of `service`; `arm` makes the only one."""

    def __init__(self, service: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 -- optional
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 -- optional
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 -- optional
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 -- optional

        _listen()
        self._service = service
        self._ids = _ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service, "service.namespace": "colophon"}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("colophon")

    def state(self, cause: str | None) -> str | None:
        """The `tracestate` of an event: which span of ours, handling `cause`, brought it about."""
        context = parsed(cause)
        return None if context is None else f"{_VENDOR}{self._handling(context)}"

    def handled(self, fates: Iterable[tuple[str, Sequence[Arrival]]], seconds: float) -> None:
        """These records met these fates in a transaction that took so long and ends now."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 -- optional

        end_ns = _nanoseconds(system_now())
        start_ns = end_ns - int(seconds * 1e9)
        for fate, arrivals in fates:
            for record in (arrival.record for arrival in arrivals):
                context = parsed(record.header("traceparent"))
                if context is None:
                    continue
                what = () if fate == "applied" else (fate, *record.place)
                attributes: dict[str, str | int] = {
                    **_about(record.topic.name, "process", record.header("ce_id")),
                    "messaging.consumer.group.name": self._service,
                    "messaging.destination.partition.id": str(record.partition),
                    "messaging.kafka.offset": record.offset,
                    "colophon.result": fate,
                }
                own, name = self._handling(context, *what), f"process {record.topic.name}"
                kind = SpanKind.CONSUMER
                self._end(
                    _Span(name, kind, context.trace, own, context, start_ns, end_ns, attributes)
                )

    def published(self, rows: Sequence[Any]) -> None:
        """These rows of the outbox (topic, headers, created_at) stand on their topics now."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 -- optional

        end_ns = _nanoseconds(system_now())
        for topic, text, created_at in rows:
            if topic not in BY_NAME:  # a dead letter's copy is no new event
                continue
            headers = headers_from(text)
            context = parsed(header_in(headers, "traceparent"))
            if context is None:
                continue
            above = (header_in(headers, "tracestate") or "").removeprefix(_VENDOR)
            parent = Context(context.trace, above, context.flags) if above else None
            attributes = _about(topic, "send", header_in(headers, "ce_id"))
            name, kind, start_ns = f"send {topic}", SpanKind.PRODUCER, _nanoseconds(created_at)
            self._end(
                _Span(name, kind, context.trace, context.span, parent, start_ns, end_ns, attributes)
            )

    def stop(self) -> None:
        """Send what is left, if that is quick."""
        leaving = threading.Thread(target=self._provider.shutdown, name="tracing", daemon=True)
        leaving.start()
        leaving.join(_STOP_S)

    def _handling(self, context: Context, *what: object) -> str:
        """The id of our span that handles the event of `context`: derived, like all ids."""
        words = "/".join(map(str, (self._service, context.trace, context.span, *what)))
        return sha256(words.encode()).hexdigest()[:16]

    def _end(self, span: _Span) -> None:
        """Hand `span` over; the queue is bounded and never waits."""
        from opentelemetry.context import Context as Ambient  # noqa: PLC0415 -- optional
        from opentelemetry.trace import (  # noqa: PLC0415 -- optional
            NonRecordingSpan,
            SpanContext,
            TraceFlags,
            set_span_in_context,
        )

        self._ids.take(int(span.trace, 16), int(span.own, 16))
        ambient = Ambient()
        if (above := span.parent) is not None:
            flags = TraceFlags(int(above.flags, 16))
            parent = SpanContext(
                int(above.trace, 16), int(above.span, 16), is_remote=True, trace_flags=flags
            )
            ambient = set_span_in_context(NonRecordingSpan(parent), ambient)
        begun = self._tracer.start_span(
            span.name,
            context=ambient,
            kind=span.kind,
            attributes=span.attributes,
            start_time=span.start_ns,
        )
        begun.end(span.end_ns)


export: Export | None = None


def arm(settings: Settings, service: str) -> None:
    """Export from now on, where the settings name a collector and the packages are installed."""
    global export  # noqa: PLW0603 -- a look at it costs nothing, and nobody arms twice
    if not settings.traces_endpoint:  # empty counts as unset, by OpenTelemetry's specification
        return
    try:
        export = Export(service)
    except ImportError as error:
        logger().warning("no traces: install colophon[tracing]", error=str(error))


def _about(topic: str, what: str, message_id: str | None) -> dict[str, str | int]:
    """Attributes by OpenTelemetry's conventions for messaging."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": what,
        "messaging.destination.name": topic,
        "messaging.message.id": (message_id or "")[:_ID_MAX],
    }


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1e6) * 1000


def _ids() -> Any:  # noqa: ANN401 -- a generator of ids, of an optional package
    """A generator that gives the ids that it was told in this thread."""
    from opentelemetry.sdk.trace.id_generator import IdGenerator  # noqa: PLC0415 -- optional

    class Told(IdGenerator):
        def __init__(self) -> None:
            self._told = threading.local()

        def take(self, trace: int, span: int) -> None:
            self._told.ids = (trace, span)

        def generate_trace_id(self) -> int:
            return int(self._told.ids[0])

        def generate_span_id(self) -> int:
            return int(self._told.ids[1])

    return Told()


def _listen() -> None:
    """Have what the exporter says logged as ours, one line a minute."""
    said = ClientLog()
    said.sink = lambda _, text, left_out: logger().warning(
        "tracing", text=text[:300], left_out=left_out
    )

    class Passed(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.log(record.levelno, "", "tracing", "", record.getMessage())

    theirs = logging.getLogger("opentelemetry")
    theirs.addHandler(Passed(logging.WARNING))
    theirs.propagate = False
