"""Who a record is: its key, and the message id that makes its fact unique, both from the value."""

from collections.abc import Mapping
from functools import cache
from string import Formatter
from uuid import UUID

from shared.events.base import Event
from shared.ids import cause_id, escaped
from shared.topology import BY_EVENT, Topic


@cache
def _template(topic: Topic) -> tuple[str, tuple[str, ...]]:
    """The key as a format, and the fields that fill it."""
    parts = list(Formatter().parse(topic.key))
    form = "".join(
        literal.replace("%", "%%") + ("%s" if field else "") for literal, field, *_ in parts
    )
    return form, tuple(field for _, field, *_ in parts if field)


def key_of(topic: Topic, event: Event) -> str:
    """The record key that `event` must travel under."""
    (form, fields), values = _template(topic), event.__dict__
    return form % tuple([escaped(str(values[field])) for field in fields])


def message_id(topic: Topic, event: Event) -> UUID:
    """The UUIDv5 over the topic and the length-prefixed parts of the business key."""
    values = event.__dict__
    return cause_id(topic.name, *[values[field] for field in topic.business_key])


def message_id_of_fields(topic: Topic, fields: Mapping[str, object]) -> UUID:
    """As `message_id`, from decoded fields that make no valid event: they travel as they are."""
    return cause_id(topic.name, *(fields[field] for field in topic.business_key))


def topic_of(event: Event) -> Topic:
    """The topic whose value `event` is."""
    return BY_EVENT[type(event)]
