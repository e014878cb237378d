"""What master data must hold before it is taken in, and which legal entity's zone dates a job."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from services.metrics_extractor.domain.facts import known_unit, not_negative
from shared.clock import local_date
from shared.errors import Invalid
from shared.events.masterdata import CostRate, LegalEntity
from shared.money import minor_unit
from shared.validity import Dated, in_force


class Entity(Dated, Protocol):
    """A version of a legal entity, as far as it matters here."""

    @property
    def time_zone(self) -> str:
        """IANA name."""
        ...


E = TypeVar("E", bound=Entity)


def entity_at(versions: Sequence[E], at: datetime) -> E:
    """The version of an entity (of at least one) in force at the instant `at`.

    Where none is, the newest: here its zone only names the day. Whether the entity may invoice on
    that day is asked where it matters.
    """
    newest = max(versions, key=lambda version: version.version)
    return in_force(versions, local_date(at, newest.time_zone)) or newest


def check_entity(event: LegalEntity) -> None:
    """A legal entity's zone and currency exist, and its validity does not end before it begins."""
    _check_validity(event.valid_from, event.valid_to)
    minor_unit(event.currency)
    try:
        ZoneInfo(event.time_zone)
    except (OSError, ValueError, KeyError) as error:
        raise Invalid(
            "time-zone-unknown",
            "not a zone of the IANA time zone database: send it again with one",
            field="time_zone",
            value=event.time_zone,
        ) from error


def check_rates(event: CostRate) -> None:
    """Cost rates are distinct, of known units, per a positive quantity, and none is below zero."""
    _check_validity(event.valid_from, event.valid_to)
    minor_unit(event.currency)
    seen = set()
    for number, line in enumerate(event.lines):
        known_unit(line.unit, "lines", number)
        not_negative(line, ("rate",), "lines", number)
        if line.per <= 0:
            raise Invalid(
                "not-positive",
                "a rate holds per a positive quantity: send it again with one",
                field=f"lines[{number}].per",
                value=line.per,
            )
        thing = (line.component, line.code, line.status)
        if thing in seen:
            raise Invalid(
                "rate-repeated",
                "two rates for the same thing: send it again with one of them",
                field=f"lines[{number}]",
                value=" ".join(thing),
            )
        seen.add(thing)


def _check_validity(valid_from: date, valid_to: date | None) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise Invalid(
            "times-disagree",
            "validity ends before it begins: send it again with both dates right",
            field="valid_to",
            value=valid_to,
            valid_from=valid_from,
        )
