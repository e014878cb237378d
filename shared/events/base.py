"""What events are made of: frozen, strict pydantic models and the field types they share."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)


class Value(BaseModel):
    """A part of an event: frozen, no unknown fields, no silent coercion."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Event(Value):
    """The value of one record. Its fields only ever grow, at the end, with defaults."""


def faults_of(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Each field that breaks its contract, by its path as in lines.3.net, with what is wrong."""
    for one in error.errors(include_url=False, include_context=False):
        yield ".".join(map(str, one["loc"])) or "value", one["msg"]


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        msg = "a time needs its zone: write it in UTC, as in 2026-03-01T08:00:00Z"
        raise ValueError(msg)
    return at.astimezone(UTC)


class OutOfBounds(ValueError):
    """A figure has more digits before the point than its type."""


class Decimals:
    """Precision and scale of an Avro decimal; they never change within a topic."""

    def __init__(self, precision: int, scale: int) -> None:
        self.precision = precision
        self.scale = scale
        self.one = Decimal(10) ** scale
        """What an amount is multiplied by to become its scaled integer."""
        self.unit = Decimal(1).scaleb(-scale)
        """The smallest amount: what the scaled integer is multiplied by."""
        self._exactly = Context(prec=precision, traps=[Inexact, InvalidOperation])

    def checked(self, value: Decimal) -> Decimal:
        """`value`, if it fits; raises `ValueError`, `OutOfBounds` where it is too large."""
        try:
            value.quantize(self.unit, None, self._exactly)
        except Inexact as error:
            msg = f"has more than {self.scale} decimals"
            raise ValueError(msg) from error
        except InvalidOperation as error:
            msg = f"has more than {self.precision - self.scale} digits before the point"
            raise OutOfBounds(msg) from error
        return value


AMOUNT, RATE, QUANTITY = Decimals(24, 4), Decimals(24, 6), Decimals(28, 9)

Amount = Annotated[Decimal, AfterValidator(AMOUNT.checked), AMOUNT]
"""Money in the event's currency, never more decimals than the currency has."""
Rate = Annotated[Decimal, AfterValidator(RATE.checked), RATE]
"""A unit price in the event's currency, or a percentage (5 means 5 %)."""
Quantity = Annotated[Decimal, AfterValidator(QUANTITY.checked), QUANTITY]
"""A measure in the unit that stands beside it."""
Time = Annotated[datetime, AfterValidator(_utc)]
"""An instant, UTC, microseconds."""
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
"""An identifier given by whoever owns the thing."""
Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
"""Words for people."""
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f]+$")]
"""A code from a published list or from the shop's own."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
Positive = Annotated[int, Field(ge=1)]
"""A version, revision or running number from 1."""


class OpenEnum(StrEnum):
    """A closed list that may grow: every subclass has `UNKNOWN`, the default of its Avro enum."""


class Unit(StrEnum):
    """The UN/ECE Recommendation 20 codes this trade uses; events carry them as plain codes."""

    PIECE = "H87"
    SHEET = "ST"
    PAGE = "ZP"
    GRAM = "GRM"
    KILOGRAM = "KGM"
    METRE = "MTR"
    SQUARE_METRE = "MTK"
    MILLILITRE = "MLT"
    LITRE = "LTR"
    SECOND = "SEC"
    MINUTE = "MIN"
    HOUR = "HUR"
    KILOWATT_HOUR = "KWH"
    LUMP_SUM = "LS"
