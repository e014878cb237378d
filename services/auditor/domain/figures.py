"""What one priced job or issued document must fulfil by itself, every figure recomputed."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from services.auditor.domain.arithmetic import (
    half_up,
    is_creditor_reference,
    line_net,
    plain,
    tax_on,
    total,
)
from services.auditor.domain.findings import Finding

Said = Mapping[str, Any]
"""A record's fields."""
DAYS_MOVED_MAX: Final = 14
"""No calendar has as many days without business in a row."""


def lines_multiply_out(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """Every line's net is quantity / per x unit price, rounded half up, once."""
    currency = said["currency"]
    for line in said["lines"]:
        net = line_net(line["quantity"], line["unit_price"], line["per"], currency)
        if net != line["net"]:
            where = f"{subject}, line {line['line_no']} net"
            yield Finding(where, plain(net), plain(line["net"]), look)


def lines_sum_to_the_net(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """The net total is the sum of the lines' nets."""
    net = total(line["net"] for line in said["lines"])
    if net != said["net_total"]:
        yield Finding(f"{subject}, net total", plain(net), plain(said["net_total"]), look)


def lines_are_numbered(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """Lines are numbered from 1 without gap."""
    numbers = [line["line_no"] for line in said["lines"]]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Finding(f"{subject}, line numbers", f"1 to {len(numbers)}", str(numbers), look)


def tax_is_half_up(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """Tax is by category and rate on the sum of the rounded line nets, half up."""
    sums: dict[tuple[str, Decimal], list[Decimal]] = defaultdict(list)
    for line in said["lines"]:
        sums[line["tax_category"], line["tax_rate"]].append(line["net"])
    stated = {(tax["category"], tax["rate"]): tax for tax in said["taxes"]}
    if len(stated) != len(said["taxes"]):
        yield Finding(f"{subject}, taxes", "one of each category and rate", "a repeated one", look)
    for group in sorted({*sums, *stated}):
        where = f"{subject}, tax {group[0]} {plain(group[1])} %"
        net = total(sums.get(group, ()))
        tax = tax_on(net, group[1], said["currency"])
        found = stated.get(group)
        if found is None:
            yield Finding(where, f"{plain(tax)} on {plain(net)}", "not on the document", look)
        elif (found["net"], found["tax"]) != (net, tax):
            words = f"{plain(found['tax'])} on {plain(found['net'])}"
            yield Finding(where, f"{plain(tax)} on {plain(net)}", words, look)


def totals_add_up(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """Tax total is the sum of the taxes, gross is net plus tax, none finer than the currency."""
    tax = total(tax["tax"] for tax in said["taxes"])
    if tax != said["tax_total"]:
        yield Finding(f"{subject}, tax total", plain(tax), plain(said["tax_total"]), look)
    gross = said["net_total"] + said["tax_total"]
    if gross != said["gross_total"]:
        yield Finding(f"{subject}, gross total", plain(gross), plain(said["gross_total"]), look)
    for name in ("net_total", "tax_total", "gross_total"):
        rounded = half_up(said[name], said["currency"])
        if rounded != said[name]:
            yield Finding(f"{subject}, {name}", plain(rounded), plain(said[name]), look)


def numbers_are_written_as_counted(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """The number on an invoice is its series, fiscal year and place in it."""
    number = f"{said['series']}-{said['fiscal_year']}-{said['sequence']:06d}"
    if number != said["invoice_number"]:
        yield Finding(f"{subject}, number", number, said["invoice_number"], look)


def references_check(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """The payment reference is the invoice's number with valid check digits (ISO 11649)."""
    letters = "".join(filter(str.isalnum, said["invoice_number"])).upper()
    reference = said["payment_reference"]
    if not is_creditor_reference(reference):
        yield Finding(f"{subject}, reference", "valid check digits", reference, look)
    elif reference[4:] != letters:
        yield Finding(f"{subject}, reference", f"RF and digits, {letters}", reference, look)


def due_dates_follow_the_terms(said: Said, subject: str, look: str) -> Iterator[Finding]:
    """An invoice is due its net days after issue, moved on over days without business at most."""
    first = said["issued_on"] + timedelta(days=said["payment_terms"]["net_days"])
    last = first + timedelta(days=DAYS_MOVED_MAX)
    if not first <= said["due_on"] <= last:
        yield Finding(f"{subject}, due", f"{first} or soon after", str(said["due_on"]), look)


Rule = Callable[[Said, str, str], Iterator[Finding]]
OF_PRICE: Final[tuple[Rule, ...]] = (lines_are_numbered, lines_multiply_out, lines_sum_to_the_net)
OF_DOCUMENT: Final[tuple[Rule, ...]] = (*OF_PRICE, tax_is_half_up, totals_add_up)
OF_INVOICE: Final[tuple[Rule, ...]] = (
    *OF_DOCUMENT,
    numbers_are_written_as_counted,
    references_check,
    due_dates_follow_the_terms,
)
