"""Documents and payments for tests of the ledger, fixed ones and any that hypothesis may draw."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import strategies as st

from shared.events.billing import InvoiceIssued, InvoiceLine, LineKind, TaxSubtotal
from shared.events.payments import PaymentApplied
from shared.money import ZERO, round_money
from tests.invoices import LINE, numbered

NOW = datetime(2026, 3, 2, 10, 30, 15, 123456, tzinfo=UTC)
ZERO_RATED = ("Z", Decimal(0))
STANDARD = ("S", Decimal(19))
REDUCED = ("S", Decimal("7.5"))


def line(number: int, kind: LineKind, net: str, tax: tuple[str, Decimal] = STANDARD) -> InvoiceLine:
    """A line of one piece at `net`."""
    changes = {
        "line_no": number,
        "kind": kind,
        "quantity": Decimal(1),
        "unit_price": Decimal(net),
        "net": Decimal(net),
        "tax_category": tax[0],
        "tax_rate": tax[1],
    }
    return LINE.model_copy(update=changes)


def issued(lines: Sequence[InvoiceLine], number: int = 1, currency: str = "EUR") -> InvoiceIssued:
    """An invoice over `lines`, its tax and totals worked out as the law has it."""
    nets: dict[tuple[str, Decimal], Decimal] = {}
    for each in lines:
        group = each.tax_category, each.tax_rate
        nets[group] = nets.get(group, ZERO) + each.net
    taxes = tuple(
        TaxSubtotal(
            category=category,
            rate=rate,
            net=net,
            tax=round_money(net * rate / 100, currency),
        )
        for (category, rate), net in nets.items()
    )
    net_total = sum((each.net for each in lines), ZERO)
    tax_total = sum((tax.tax for tax in taxes), ZERO)
    return numbered(
        number,
        lines=tuple(lines),
        taxes=taxes,
        currency=currency,
        net_total=net_total,
        tax_total=tax_total,
        gross_total=net_total + tax_total,
    )


def payment(
    amount: str, invoice: InvoiceIssued, *, payment_id: str = "PAY-1", application_no: int = 1
) -> PaymentApplied:
    """`amount` applied to `invoice`."""
    return PaymentApplied(
        legal_entity_id=invoice.legal_entity_id,
        payment_id=payment_id,
        invoice_id=invoice.invoice_id,
        application_no=application_no,
        applied_at=NOW,
        applied_on=date(2026, 3, 2),
        currency=invoice.currency,
        amount=Decimal(amount),
        open_amount=ZERO,
    )


def _amounts(places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(0, 10 ** (7 + places)).map(lambda units: Decimal(units).scaleb(-places))


@st.composite
def invoices(draw: st.DrawFn) -> InvoiceIssued:
    """Any invoice that adds up: kinds and categories mixed, a discount, any currency."""
    currency, places = draw(st.sampled_from((("EUR", 2), ("JPY", 0), ("KWD", 3))))
    nets = draw(st.lists(_amounts(places), min_size=1, max_size=8))
    lines = [
        line(
            number,
            draw(st.sampled_from([kind for kind in LineKind if kind != LineKind.DISCOUNT])),
            str(net),
            draw(st.sampled_from((STANDARD, REDUCED, ZERO_RATED))),
        )
        for number, net in enumerate(nets, 1)
    ]
    discount = round_money(lines[0].net * draw(st.integers(0, 100)) / 100, currency)
    taxed = lines[0].tax_category, lines[0].tax_rate
    lines.append(line(len(lines) + 1, LineKind.DISCOUNT, str(-discount), taxed))
    return issued(lines, currency=currency)
