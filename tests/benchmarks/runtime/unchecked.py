"""The bare limit without models: fastavro's dicts, decimals as scaled integers, nothing checked.

What it leaves out is what the models give: a missing text, an unknown code or an amount with too
many decimals goes through unseen.
"""

from decimal import Decimal
from io import BytesIO
from typing import Any, Final

from confluent_kafka import Message
from fastavro import schemaless_reader, schemaless_writer
from sqlalchemy import Connection

from shared.codec.framing import Fingerprint, frame
from shared.identity import message_id_of_fields
from shared.inbox import Applied
from shared.outbox import Outgoing, event_headers
from shared.runtime.records import headers_json
from shared.schemas import newest
from shared.topology import BY_NAME
from tests.benchmarks.runtime import bare
from tests.benchmarks.runtime.workload import SOURCE, TARGET, JobRow, JobStore

_HEAD: Final = 10  # of the single-object encoding
_PRICE: Final = 2_250_000  # scale 6
_CENT: Final = 10**13  # of scale 9 and 6 together
_ONE: Final = 10**9  # scale 9
_CONSTANT: Final[dict[str, Any]] = {
    "pricing_no": 1,
    "path": "STRAIGHT_THROUGH",
    "rule_version": "1",
    "basis": "RATE_CARD",
}


def main() -> None:
    """Consume every partition from its beginning until killed."""
    bare.consume(work)


def work(connection: Connection, messages: list[Message]) -> bare.Written:
    """Price every job of a batch, on integers."""
    source, target, writer = BY_NAME[SOURCE], BY_NAME[TARGET], newest(TARGET)
    name, reader = Fingerprint(writer.fingerprint), newest(SOURCE).plain
    jobs: list[Any] = [
        schemaless_reader(BytesIO(_value(message)[_HEAD:]), reader, None) for message in messages
    ]
    store = JobStore(connection)
    store.jobs.load(connection, ((job["job_id"],) for job in jobs))
    applied, outgoing = [], []
    for message, job in zip(messages, jobs, strict=True):
        place = (SOURCE, message.partition() or 0, message.offset() or 0)
        applied.append(Applied(message_id_of_fields(source, job), _value(message)[:16], *place))
        price, total = _priced(job)
        before = store.jobs.get(job["job_id"]) or JobRow(job["job_id"], 0, 0, Decimal(0))
        lines, net = before.lines + len(price["lines"]), before.net_total + Decimal(total) / 100
        store.jobs.put(JobRow(before.job_id, job["revision"], lines, net))
        key, identity = _key(message), message_id_of_fields(target, price)
        headers = headers_json(event_headers(TARGET, key.decode(), identity, "benchmark", None))
        body = BytesIO()
        schemaless_writer(body, writer.plain, price)
        outgoing.append(Outgoing(TARGET, key, frame(name, body.getvalue()), headers))
    store.flush()
    return applied, outgoing


def _priced(job: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The fields of the price, and its net total in cents."""
    lines, total = [], 0
    for number, metric in enumerate(job["metrics"], 1):
        cents = (int.from_bytes(metric["billable"], "big") * _PRICE + _CENT // 2) // _CENT
        total += cents
        lines.append(
            {
                "line_no": number,
                "kind": "MACHINE",
                "code": metric["code"],
                "description": metric["description"],
                "quantity": metric["billable"],
                "unit": metric["unit"],
                "unit_price": _bytes(_PRICE),
                "per": _bytes(_ONE),
                "net": _bytes(100 * cents),
                "product_class": "PRINT",
            }
        )
    return job | _CONSTANT | {"lines": lines, "net_total": _bytes(100 * total)}, total


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 8) // 8, "big")


def _value(message: Message) -> bytes:
    return bytes(message.value() or b"")


def _key(message: Message) -> bytes:
    return bytes(message.key() or b"")


if __name__ == "__main__":
    main()
