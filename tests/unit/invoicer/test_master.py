"""Master data that no invoice could rest on are refused at the door, by field."""

from decimal import Decimal

import pytest

from services.invoicer.domain.locales import nearest
from services.invoicer.domain.master import (
    check_customer,
    check_legal_entity,
    check_tax_rule,
    check_terms,
)
from shared.errors import Invalid
from shared.events.masterdata import BankAccount, PaymentTerms
from tests.unit.invoicer.factory import customer, entity, tax_rule


def test_proper_master_data_pass() -> None:
    national = BankAccount(account="0000-123-1234567", currency="JPY")
    check_legal_entity(entity(), [])
    check_legal_entity(entity(bank_accounts=(national,), logo="0" * 64), [entity()])
    check_legal_entity(entity(payment_base_url=None, accent_colour=None), [])
    check_customer(customer())
    check_tax_rule(tax_rule())
    check_tax_rule(tax_rule(category="K", rate=Decimal(0)))
    check_terms(PaymentTerms(net_days=30, discount_percent=Decimal(2), discount_days=30))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "QQQ"),
        ("locale", "zz_ZZ"),
        ("locale", "!"),
        ("calendar_country", "ZZ"),
        ("calendar_subdivision", "XX"),
        ("time_zone", "Europe/Atlantis"),
        ("time_zone", "../etc/passwd"),
        ("invoice_series", "r"),
        ("fiscal_year_start_month", 13),
        ("fiscal_year_start_month", 0),
        ("payment_base_url", "ftp://pay.example"),
        ("payment_base_url", "https://pay.example/ x"),
        ("logo", "logo.png"),
        ("accent_colour", "blue"),
        ("bank_accounts", (BankAccount(account="DE89370400440532013001", currency="EUR"),)),
        ("bank_accounts", (BankAccount(account="1", currency="QQQ"),)),
    ],
)
def test_a_legal_entity_is_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(Invalid) as invalid:
        check_legal_entity(entity(**{field: value}), [])
    assert invalid.value.facts


def test_two_series_never_share_a_payment_reference() -> None:
    other = entity(version=2, invoice_series="R-1")
    with pytest.raises(Invalid, match="differs from R-1"):
        check_legal_entity(entity(version=3, invoice_series="R1"), [entity(), other])
    check_legal_entity(entity(version=3, invoice_series="R-1"), [entity(), other])


@pytest.mark.parametrize(
    "terms",
    [
        PaymentTerms(net_days=-1),
        PaymentTerms(net_days=3651),
        PaymentTerms(net_days=30, discount_percent=Decimal(2)),
        PaymentTerms(net_days=30, discount_days=10),
        PaymentTerms(net_days=30, discount_percent=Decimal(0), discount_days=10),
        PaymentTerms(net_days=30, discount_percent=Decimal(100), discount_days=10),
        PaymentTerms(net_days=30, discount_percent=Decimal(2), discount_days=31),
        PaymentTerms(net_days=30, discount_percent=Decimal(2), discount_days=-1),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: PaymentTerms) -> None:
    with pytest.raises(Invalid):
        check_customer(customer(payment_terms=terms))


@pytest.mark.parametrize(
    "changes", [{"category": "X"}, {"rate": Decimal(0)}, {"category": "K"}, {"rate": Decimal(-1)}]
)
def test_a_tax_rule_is_refused_by_field(changes: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        check_tax_rule(tax_rule(**changes))


@pytest.mark.parametrize(
    ("code", "found"),
    [("de_DE", "de_DE"), ("de-DE", "de_DE"), ("en_KW", "en_001"), ("de_JP", "de"), ("ja", "ja")],
)
def test_the_nearest_locale_is_taken(code: str, found: str) -> None:
    assert str(nearest(code)) == found
