"""What a file states about one resource: JDF and XJDF word it differently and end up here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from services.ingest.domain.element import Element
from services.ingest.domain.parts import joined, sheet_of
from services.ingest.domain.words import NOTHING_SAID, TOOLS
from shared.events.production import Attribution


@dataclass(frozen=True, slots=True)
class Amounts:
    """Planned and actual, good and waste; None where nothing is stated."""

    planned_good: Decimal | None = None
    planned_waste: Decimal | None = None
    actual_good: Decimal | None = None
    actual_waste: Decimal | None = None

    def __add__(self, other: "Amounts") -> "Amounts":
        """Each added; what only one states stays as stated."""
        return Amounts(
            _add(self.planned_good, other.planned_good),
            _add(self.planned_waste, other.planned_waste),
            _add(self.actual_good, other.actual_good),
            _add(self.actual_waste, other.actual_waste),
        )

    @property
    def planned(self) -> Decimal | None:
        """Planned good plus waste."""
        return _add(self.planned_good, self.planned_waste)

    @property
    def actual(self) -> Decimal | None:
        """Actual good plus waste."""
        return _add(self.actual_good, self.actual_waste)

    @property
    def stated(self) -> bool:
        """Whether there is any amount."""
        return self != Amounts()


def _add(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return one if other is None else other if one is None else one + other


@dataclass(frozen=True, slots=True)
class Statement:
    """Amounts of one resource (`name` is CIP4's), or of the part of it that `part` names.

    `traits` are the resource's attributes with those of its partitions on top; `section` is the
    job part; `step` orders combined processes, the last one's output being the product.
    """

    at: Element
    name: str
    traits: Mapping[str, str]
    part: Mapping[str, str] = field(default_factory=dict)
    amounts: Amounts = Amounts()
    output: bool = False
    unit: str | None = None
    section: str | None = None
    attribution: Attribution = NOTHING_SAID
    device: str = ""
    read_at: datetime | None = None
    step: int = -1

    def trait(self, *names: str) -> str | None:
        """The first of these attributes that is there."""
        return next((found for name in names if (found := self.traits.get(name))), None)

    @property
    def stated_id(self) -> str | None:
        """What the shop itself calls the material."""
        return self.trait("ProductID")

    @property
    def described_id(self) -> str | None:
        """A code from what the medium is, such as Paper-90, where it has none of its own."""
        kind, weight = self.trait("MediaType"), self.trait("Weight")
        if kind is None and weight is None:
            return self.trait("MediaQuality", "Brand")
        return "-".join(filter(None, (kind or "Paper", weight and plain(weight))))

    @property
    def product_id(self) -> str | None:
        """The material's code: the shop's own, or one from what it is."""
        return self.stated_id or self.described_id

    @property
    def substrate(self) -> bool:
        """Whether this is what is printed on."""
        return self.name == "Media" and self.trait("MediaType") not in TOOLS

    @property
    def whole_section(self) -> str | None:
        """The job part, and the sheet in it where one is named."""
        return joined(self.at, self.section, sheet_of(self.part))

    @property
    def is_sheet(self) -> bool:
        """Whether the part is a sheet or a signature, hence no whole product."""
        return sheet_of(self.part) is not None

    def called(self, other: "Statement") -> "Statement":
        """This statement about the material that `other` names."""
        return replace(self, traits={**other.traits, **self.traits})


def plain(number: str) -> str:
    """A number as written, without decimals that say nothing."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def total(statements: Iterable[Statement]) -> Amounts:
    """What these statements add up to."""
    return sum((one.amounts for one in statements), Amounts())
