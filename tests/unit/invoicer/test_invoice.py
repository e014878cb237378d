"""From a billable price to an issued invoice, and what keeps it from becoming one."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.invoicer.domain.invoice import (
    Draft,
    Known,
    check_priced,
    draft,
    invoice_id,
    is_live,
    issue,
    newest,
)
from services.invoicer.domain.numbering import Series
from services.invoicer.domain.tax import TaxHold
from shared.errors import Invalid, Rejected
from shared.events.billing import JobPriced
from shared.events.masterdata import PaymentTerms
from tests.unit.invoicer.factory import (
    FOUNDED,
    KEY,
    NOW,
    customer,
    entity,
    invoice,
    known,
    line,
    priced,
    rate_card_lines,
    tax_rule,
    variances,
)


def reason(outcome: Draft | TaxHold) -> str:
    assert isinstance(outcome, TaxHold)
    return outcome.reasons[0].code


def test_the_worked_rate_card_case() -> None:
    issued = invoice(priced(*rate_card_lines()))
    assert (issued.net_total, issued.tax_total, issued.gross_total) == (
        Decimal("1027.80"),
        Decimal("195.28"),
        Decimal("1223.08"),
    )
    assert issued.invoice_id == invoice_id("DE01", "J-1")
    assert (issued.document_type, issued.live, issued.sequence) == ("380", True, 1)
    assert (issued.issued_on, issued.due_on) == (date(2026, 3, 3), date(2026, 4, 2))
    assert [one.net for one in issued.lines] == [one.net for one in rate_card_lines()]
    assert issued.seller.bank_accounts == entity().bank_accounts
    assert (issued.buyer.name, issued.buyer.vat_id) == (customer().name, customer().vat_id)


def test_the_day_of_issue_is_the_sellers() -> None:
    late = datetime(2026, 3, 3, 23, 30, tzinfo=UTC)
    assert invoice(now=late).issued_on == date(2026, 3, 4)
    auckland = entity(time_zone="Pacific/Auckland")
    assert invoice(seller=auckland, now=NOW.replace(hour=11)).issued_on == date(2026, 3, 4)


def test_the_price_brings_its_terms_or_the_customer_does() -> None:
    terms = PaymentTerms(net_days=14, discount_percent=Decimal(2), discount_days=7)
    assert invoice(priced(payment_terms=terms)).payment_terms == terms
    assert invoice().payment_terms == customer().payment_terms


def test_estimate_against_actual_is_shown_where_agreed() -> None:
    assert invoice(priced(variances=variances())).variances == ()
    assert invoice(priced(variances=variances(), show_estimate=True)).variances == variances()


def test_no_link_without_base_or_key() -> None:
    ready = draft(priced(), known(), NOW)
    assert isinstance(ready, Draft)
    assert issue(ready, (), NOW, KEY)[0].payment_url is not None
    assert issue(ready, (), NOW, None)[0].payment_url is None
    assert invoice(seller=entity(payment_base_url=None)).payment_url is None


def test_the_number_and_the_series_go_together() -> None:
    ready = draft(priced(), known(), NOW)
    assert isinstance(ready, Draft)
    last = Series("DE01", "R", 2026, 41, date(2026, 3, 9))
    issued, taken = issue(ready, [last], NOW, KEY)
    assert (issued.invoice_number, issued.sequence) == ("R-2026-000042", 42)
    assert issued.issued_on == taken.last_issued_on == date(2026, 3, 9)
    assert issued.due_on == date(2026, 4, 8)


def test_tax_is_that_of_completion_and_the_address_that_of_issue() -> None:
    moved = customer(version=2, name="Verlag Nordlicht SE", valid_from=date(2026, 3, 3))
    raised = tax_rule(version=2, valid_from=date(2026, 3, 3), rate=Decimal(20))
    facts = Known((entity(),), (customer(), moved), (tax_rule(), raised))
    ready = draft(priced(), facts, NOW)
    assert isinstance(ready, Draft)
    assert (ready.buyer.name, ready.lines[0].tax_rate) == ("Verlag Nordlicht SE", Decimal(19))


def test_a_buyer_whose_data_ended_after_completion_is_still_billed() -> None:
    ended = customer(valid_to=date(2026, 3, 2))
    ready = draft(priced(), known(None, ended), NOW)
    assert isinstance(ready, Draft)
    assert ready.buyer == ended


def test_what_is_not_in_force_holds_and_says_so() -> None:
    tomorrow = date(2026, 3, 4)
    assert reason(draft(priced(), known(entity(valid_from=tomorrow)), NOW)) == "seller-not-in-force"
    facts = known(None, customer(valid_from=tomorrow))
    assert reason(draft(priced(), facts, NOW)) == "buyer-not-in-force"
    facts = known(None, None, tax_rule(valid_from=tomorrow))
    assert reason(draft(priced(), facts, NOW)) == "tax-rule-missing"


def test_live_is_judged_by_completion_and_the_newest_version() -> None:
    old, new = entity(), entity(version=2, live_from=date(2026, 3, 2), valid_from=FOUNDED)
    assert newest([new, old]) == new
    assert is_live(priced(), old)
    assert is_live(priced(), new)
    assert not is_live(priced(completed_on=date(2026, 3, 1)), new)


@pytest.mark.parametrize(
    ("price", "code"),
    [
        (priced().model_copy(update={"lines": ()}), "no-lines"),
        (priced(line("1.005")), "not-money"),
        (priced(net_total=Decimal("1.00")), "total-mismatch"),
        (priced(line("-1.00")), "negative-total"),
    ],
)
def test_a_price_that_contradicts_itself_is_rejected(price: JobPriced, code: str) -> None:
    with pytest.raises(Rejected) as rejected:
        draft(price, known(), NOW)
    assert rejected.value.code == code


def test_terms_and_currency_are_checked_too() -> None:
    with pytest.raises(Invalid):
        check_priced(priced(payment_terms=PaymentTerms(net_days=-1)))
    with pytest.raises(Invalid):
        check_priced(priced(currency="QQQ"))
    check_priced(priced(line("0.00")))


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 10**11), min_size=1, max_size=8),
    st.sampled_from([("EUR", 2), ("JPY", 0), ("KWD", 3)]),
    st.sampled_from(["19", "7", "8.875", "25.5"]),
)
def test_totals_add_up_to_the_smallest_coin(
    nets: list[int], currency: tuple[str, int], rate: str
) -> None:
    code, decimals = currency
    lines = [line(str(Decimal(net).scaleb(-decimals)), n) for n, net in enumerate(nets, 1)]
    issued = invoice(priced(*lines, currency=code), None, None, tax_rule(rate=Decimal(rate)))
    assert issued.net_total == sum(one.net for one in issued.lines)
    assert issued.tax_total == sum(tax.tax for tax in issued.taxes)
    assert issued.gross_total == issued.net_total + issued.tax_total
    assert sum(tax.net for tax in issued.taxes) == issued.net_total
