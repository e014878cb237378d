"""What master data must be before an invoice can rest on them, checked when they arrive."""

import re
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stdnum import iban

from services.invoicer.domain.locales import nearest
from services.invoicer.domain.numbering import is_series, series_letters
from shared.calendar import check_calendar
from shared.errors import Invalid
from shared.events.masterdata import Customer, LegalEntity, PaymentTerms, TaxRule
from shared.money import minor_unit

_LOOKS_LIKE_IBAN: Final = re.compile(r"[A-Z]{2}\d\d", re.IGNORECASE)
_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_URL: Final = re.compile(r"https?://[!-;=?-~]+")
_CATEGORIES: Final = frozenset({"S", "Z", "E", "AE", "K", "G", "O"})
_TAXED: Final = "S"
_MONTHS: Final = range(1, 13)
_DAYS_MAX: Final = 3650
_WHOLE: Final = 100


def check_legal_entity(entity: LegalEntity, others: Iterable[LegalEntity]) -> None:
    """Raise `Invalid` unless invoices can be numbered, dated and printed for `entity`.

    `others` are the known versions of the same entity.
    """
    minor_unit(entity.currency)
    nearest(entity.locale)
    check_calendar(entity.calendar_country, entity.calendar_subdivision)
    _check_zone(entity.time_zone)
    _check_series(entity, others)
    _require(
        entity.fiscal_year_start_month in _MONTHS,
        "fiscal_year_start_month",
        entity.fiscal_year_start_month,
        "a month from 1 to 12",
    )
    _require_match(_URL, "payment_base_url", entity.payment_base_url, "an http or https address")
    _require_match(_SHA256, "logo", entity.logo, "the sha256 of a stored image, in hex")
    _require_match(_COLOUR, "accent_colour", entity.accent_colour, "a colour as in #1A2B3C")
    for account in entity.bank_accounts:
        minor_unit(account.currency)
        if _LOOKS_LIKE_IBAN.match(account.account):
            valid = iban.is_valid(account.account)
            _require(valid, "bank_accounts", account.account, "an IBAN with right check digits")


def check_customer(customer: Customer) -> None:
    """Raise `Invalid` unless documents for `customer` can be written and dated."""
    nearest(customer.locale)
    check_terms(customer.payment_terms)


def check_tax_rule(rule: TaxRule) -> None:
    """Raise `Invalid` unless `rule` has a known category (UNCL5305) and a rate that fits it."""
    _require(rule.category in _CATEGORIES, "category", rule.category, "one of S Z E AE K G O")
    fits = rule.rate > 0 if rule.category == _TAXED else rule.rate == 0
    wanted = f"a rate that fits category {rule.category}: above 0 for S, 0 for every other"
    _require(fits, "rate", rule.rate, wanted)


def check_terms(terms: PaymentTerms) -> None:
    """Raise `Invalid` unless `terms` name 0 to 3650 days, and a discount with its days or none."""
    _require(0 <= terms.net_days <= _DAYS_MAX, "net_days", terms.net_days, "0 to 3650 days")
    percent, days = terms.discount_percent, terms.discount_days
    if percent is None or days is None:
        whole = percent is None and days is None
        _require(whole, "discount_percent", percent, "both discount_percent and discount_days")
        return
    _require(0 < percent < _WHOLE, "discount_percent", percent, "above 0 and below 100")
    _require(0 <= days <= terms.net_days, "discount_days", days, "0 to net_days")


def _check_zone(time_zone: str) -> None:
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _invalid("time_zone", time_zone, "an IANA zone as in Europe/Berlin") from error


def _check_series(entity: LegalEntity, others: Iterable[LegalEntity]) -> None:
    series = entity.invoice_series
    wanted = "capitals and digits, inside also - and /, at most 10 of the former"
    _require(is_series(series), "invoice_series", series, wanted)
    letters = series_letters(series)
    for other in others:
        clash = other.invoice_series != series and series_letters(other.invoice_series) == letters
        wanted = f"a series that differs from {other.invoice_series} in letters or digits"
        _require(not clash, "invoice_series", series, wanted)


def _require_match(pattern: re.Pattern[str], field: str, value: str | None, wanted: str) -> None:
    _require(value is None or bool(pattern.fullmatch(value)), field, value, wanted)


def _require(holds: bool, field: str, value: object, wanted: str) -> None:  # noqa: FBT001 - the fact
    if not holds:
        raise _invalid(field, value, wanted)


def _invalid(field: str, value: object, wanted: str) -> Invalid:
    return Invalid("master-data-invalid", f"{field} must be {wanted}", field=field, value=value)
