"""The invoicer on PostgreSQL: numbers without gap, holds that end, corrections, documents."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from services.invoicer.handler import documents
from services.invoicer.main import SERVICE, check_link_key, link_key
from services.invoicer.render import Rendered, render_invoice
from shared.clock import system_now
from shared.documents import DocumentStore
from shared.errors import ConcurrentWrite, ConfigurationError, Invalid, Rejected, WaitFor
from shared.events.base import Event
from shared.events.billing import (
    DocumentRendered,
    InvoiceIssued,
    JobPriced,
    Path,
    ReviewRequested,
)
from shared.events.masterdata import BuyerKind
from shared.metrics import JOBS_UNBILLED
from shared.settings import read_settings
from shared.testing import ServiceHarness
from tests.unit.invoicer.factory import (
    NOW,
    address,
    customer,
    entity,
    line,
    priced,
    rate_card_lines,
    tax_rule,
)


@dataclass
class MovableClock:
    """A business clock that the test sets."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(NOW)


@pytest.fixture(autouse=True)
def _link_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COLOPHON_PAYMENT_LINK_KEY", "a key for tests")
    read_settings.cache_clear()
    yield
    read_settings.cache_clear()


@pytest.fixture
def harness(service_harness: Callable[..., ServiceHarness], clock: MovableClock) -> ServiceHarness:
    return service_harness(SERVICE, clock)


@pytest.fixture
def ready(harness: ServiceHarness) -> ServiceHarness:
    """The harness, with a seller, a buyer and a tax rule."""
    harness.apply(entity(), customer(), tax_rule())
    return harness


def job(number: int, **changes: object) -> JobPriced:
    return priced(*rate_card_lines(), job_id=f"J-{number}", **changes)


def issued(events: list[Event]) -> list[InvoiceIssued]:
    return [event for event in events if isinstance(event, InvoiceIssued)]


def reviews(events: list[Event]) -> list[ReviewRequested]:
    return [event for event in events if isinstance(event, ReviewRequested)]


def states(harness: ServiceHarness) -> dict[str, str]:
    return {row.job_id: row.state for row in harness.query("SELECT job_id, state FROM job")}


# ---------------------------------------------------------------- issuing


def test_a_billable_price_becomes_an_invoice_in_tables_and_event(ready: ServiceHarness) -> None:
    # given seller, buyer and tax rule; when the worked rate-card job is priced
    (event,) = issued(ready.apply(job(1)))
    # then the figures are those of the handbook, everywhere
    assert (event.invoice_number, event.sequence) == ("R-2026-000001", 1)
    assert (event.net_total, event.tax_total, event.gross_total) == (
        Decimal("1027.80"),
        Decimal("195.28"),
        Decimal("1223.08"),
    )
    assert event.due_on == date(2026, 4, 2)
    assert event.payment_reference == "RF17R2026000001"
    assert event.payment_url is not None
    assert event.payment_url.startswith("https://zahlen.spreebogen.example/r/")
    (row,) = ready.query("SELECT gross_total, due_on, content FROM invoice")
    assert (row.gross_total, row.due_on) == (event.gross_total, event.due_on)
    assert InvoiceIssued.model_validate_json(row.content) == event
    (sums,) = ready.query("SELECT sum(net) AS net, count(*) AS lines FROM invoice_line")
    assert (sums.net, sums.lines) == (event.net_total, 6)
    assert ready.query("SELECT category, net, tax FROM invoice_tax") == [
        ("S", event.net_total, event.tax_total)
    ]
    assert states(ready) == {"J-1": "invoiced"}


def test_numbers_run_on_over_batches_and_entities_have_their_own(ready: ServiceHarness) -> None:
    ready.apply(entity(legal_entity_id="DE02", invoice_series="B"))
    first = issued(ready.apply(*(job(n) for n in range(3))))
    second = issued(ready.apply(job(3), job(4, legal_entity_id="DE02"), job(5)))
    assert [one.sequence for one in first] == [1, 2, 3]
    assert [one.invoice_number for one in second] == [
        "R-2026-000004",
        "B-2026-000001",
        "R-2026-000005",
    ]


def test_the_year_turns_and_the_clock_steps_back(
    ready: ServiceHarness, clock: MovableClock
) -> None:
    # given an invoice of the new year, the zone being ahead of UTC
    clock.at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    (new_year,) = issued(ready.apply(job(1)))
    assert (new_year.invoice_number, new_year.issued_on) == ("R-2027-000001", date(2027, 1, 1))
    # when the clock steps back into the old one
    clock.at = datetime(2026, 12, 31, 12, 0, tzinfo=UTC)
    (after,) = issued(ready.apply(job(2)))
    # then neither number nor date does
    assert (after.invoice_number, after.issued_on) == ("R-2027-000002", date(2027, 1, 1))


def test_the_number_of_statements_does_not_grow_with_the_batch(ready: ServiceHarness) -> None:
    ready.apply(job(0))
    counts = []
    for size in (1, 2, 40):
        ready.apply(*(job(1000 * size + n) for n in range(size)))
        counts.append(ready.statements)
    assert len(set(counts)) == 1, counts
    for size in (1, 30):
        ready.apply(*(customer(customer_id=f"C-{size}-{n}") for n in range(size)))
        counts.append(ready.statements)
    assert counts[-1] == counts[-2]


def test_two_instances_at_once_give_every_number_once(ready: ServiceHarness) -> None:
    """If it failed: a gap or a double in the books of whoever runs two instances."""
    writers, each = 4, 12
    barrier = Barrier(writers)

    def write(writer: int) -> None:
        barrier.wait(10)
        for number in range(each):
            event = job(100 * writer + number)
            while True:
                try:
                    _apply(ready, event, fail=number % 5 == 4 and writer % 2 == 1)
                    break
                except ConcurrentWrite:
                    continue
                except _RollBack:
                    _apply(ready, event, fail=False)
                    break

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    rows = ready.query("SELECT sequence, issued_on FROM invoice ORDER BY sequence")
    assert [row.sequence for row in rows] == list(range(1, writers * each + 1))
    (series,) = ready.query("SELECT last_number FROM number_series")
    assert series.last_number == writers * each


class _RollBack(Exception):
    """The transaction ends here, after everything was written."""


def _apply(harness: ServiceHarness, event: JobPriced, *, fail: bool) -> None:
    with harness.engine.begin() as connection:
        store = harness.spec.store(connection)
        store.prefetch([event])
        store.begin()
        list(harness.spec.handlers[JobPriced](event, store, harness.clock.now()))
        store.flush()
        if fail:
            raise _RollBack


def test_issued_invoices_cannot_be_changed_by_the_service(ready: ServiceHarness) -> None:
    ready.apply(job(1))
    for statement in (
        "UPDATE invoice SET gross_total = 0",
        "DELETE FROM invoice",
        "UPDATE invoice_line SET net = 0",
        "DELETE FROM invoice_tax",
    ):
        with pytest.raises(ProgrammingError), ready.engine.begin() as connection:
            connection.execute(text(statement))


def test_the_database_refuses_a_number_twice(ready: ServiceHarness) -> None:
    (event,) = issued(ready.apply(job(1)))
    copy = (
        "INSERT INTO invoice SELECT legal_entity_id, 'other', 'other', series, fiscal_year,"
        " sequence, 'other', revision, pricing_no, customer_id, issued_at, issued_on, due_on,"
        " currency, net_total, tax_total, gross_total, 'other', content FROM invoice"
    )
    with pytest.raises(IntegrityError, match="number_once"), ready.engine.begin() as connection:
        connection.execute(text(copy))
    assert event.sequence == 1


# ---------------------------------------------------------------- what is not issued


def test_who_was_never_seen_is_waited_for(harness: ServiceHarness) -> None:
    for known, kind, key in (
        ((), "legal-entity", "DE01"),
        ((entity(),), "customer", "C-1001"),
        ((customer(),), "tax-rule", "DE"),
    ):
        harness.apply(*known)
        with pytest.raises(WaitFor) as waiting:
            harness.apply(job(1))
        assert (waiting.value.kind, waiting.value.key) == (kind, key)
    harness.apply(tax_rule())
    assert issued(harness.apply(job(1)))


def test_what_arrives_in_the_same_batch_is_known(harness: ServiceHarness) -> None:
    assert issued(harness.apply(entity(), customer(), tax_rule(), job(1)))


def test_facts_are_named_as_they_are_waited_for() -> None:
    named = {
        (fact.kind, fact.key)
        for event in (entity(), customer(), tax_rule())
        for fact in SERVICE.facts[type(event)](event)
    }
    assert named == {("legal-entity", "DE01"), ("customer", "C-1001"), ("tax-rule", "DE")}


@pytest.mark.parametrize(
    ("path", "state"),
    [(Path.REVIEW, "review"), (Path.HOLD, "hold"), (Path.REJECTED, "rejected")],
)
def test_other_paths_are_noted_and_a_later_approval_is_billed(
    ready: ServiceHarness, path: Path, state: str
) -> None:
    assert ready.apply(job(1, path=path)) == []
    assert states(ready) == {"J-1": state}
    (event,) = issued(ready.apply(job(1, pricing_no=2, path=Path.APPROVED)))
    assert event.pricing_no == 2


def test_an_older_price_has_no_effect(ready: ServiceHarness) -> None:
    ready.apply(job(1, revision=2, pricing_no=2, path=Path.REVIEW))
    assert ready.apply(job(1, revision=1, pricing_no=1)) == []
    assert states(ready) == {"J-1": "review"}


def test_before_the_entity_is_live_no_number_is_given(harness: ServiceHarness) -> None:
    harness.apply(entity(live_from=date(2026, 3, 3)), customer(), tax_rule())
    assert harness.apply(job(1)) == []
    assert states(harness) == {"J-1": "not_live"}
    (event,) = issued(harness.apply(job(2, completed_on=date(2026, 3, 3))))
    assert event.sequence == 1


def test_a_price_that_contradicts_itself_is_rejected(ready: ServiceHarness) -> None:
    with pytest.raises(Rejected) as rejected:
        ready.apply(job(1, net_total=Decimal("1.00")))
    assert rejected.value.code == "total-mismatch"
    with pytest.raises(Invalid):
        ready.apply(entity(version=2, time_zone="Europe/Atlantis"))
    assert ready.query("SELECT count(*) AS n FROM invoice")[0].n == 0


# ---------------------------------------------------------------- tax hold


def test_a_missing_tax_rule_holds_once_and_its_arrival_releases(ready: ServiceHarness) -> None:
    abroad = job(1, lines=(line("100.00", ship_to_country="AT"),), net_total=Decimal("100.00"))
    ready.apply(customer(version=2, vat_id="ATU12345675", valid_from=date(2021, 1, 1)))
    # when a job needs a rule that is not there
    (review,) = reviews(ready.apply(abroad))
    # then it is held, the reason names what is missing, and a person is asked once
    assert (review.subject_kind, review.subject_id, review.subject_version) == ("draft", "J-1", 1)
    assert review.reasons[0].code == "tax-rule-missing"
    (row,) = ready.query("SELECT state, hold_reasons, recheck FROM job")
    assert row.state == "tax_hold"
    assert "EU_BUSINESS" in row.hold_reasons
    assert ready.tick("recheck") == []
    # when the rule arrives, the job is marked, and the next tick bills it
    ready.apply(
        tax_rule(tax_rule_id="K", buyer_kind=BuyerKind.EU_BUSINESS, category="K", rate=Decimal(0))
    )
    assert ready.query("SELECT recheck FROM job")[0].recheck
    (event,) = issued(ready.tick("recheck"))
    assert (event.gross_total, event.taxes[0].category) == (Decimal("100.00"), "K")
    assert states(ready) == {"J-1": "invoiced"}
    assert ready.tick("recheck") == []


def test_a_hold_that_lasts_asks_no_second_time(ready: ServiceHarness) -> None:
    ready.apply(customer(customer_id="C-2", vat_id=None, address=address("AT")))
    held = job(1, customer_id="C-2")
    assert len(reviews(ready.apply(held))) == 1
    ready.apply(customer(version=2, valid_from=date(2021, 1, 1)), tax_rule(version=2))
    assert ready.query("SELECT recheck FROM job")[0].recheck
    assert ready.tick("recheck") == []
    (row,) = ready.query("SELECT state, recheck FROM job")
    assert (row.state, row.recheck) == ("tax_hold", False)


def test_time_alone_tries_again(ready: ServiceHarness, clock: MovableClock) -> None:
    """A version that begins tomorrow releases the job tomorrow, though nothing arrives."""
    tomorrow = NOW.date() + timedelta(days=1)
    ready.apply(entity(legal_entity_id="DE02", valid_from=tomorrow))
    (review,) = reviews(ready.apply(job(1, legal_entity_id="DE02")))
    assert review.reasons[0].code == "seller-not-in-force"
    assert ready.tick("recheck") == []
    clock.at = NOW + timedelta(days=1)
    assert len(issued(ready.tick("recheck"))) == 1


# ---------------------------------------------------------------- after issue


def test_a_newer_revision_after_issue_asks_for_a_correction(ready: ServiceHarness) -> None:
    (event,) = issued(ready.apply(job(1)))
    newer = priced(line("1100.00"), job_id="J-1", revision=2, pricing_no=2)
    (review,) = reviews(ready.apply(newer))
    assert (review.subject_kind, review.subject_version) == ("correction", 2)
    assert (review.previous_net_total, review.net_total) == (event.net_total, Decimal("1100.00"))
    (row,) = ready.query("SELECT state, revision, invoice_id FROM job")
    assert (row.state, row.revision, row.invoice_id) == ("correction_open", 2, event.invoice_id)
    assert ready.query("SELECT count(*) AS n FROM invoice")[0].n == 1


def test_a_newer_price_of_the_invoiced_revision_changes_nothing(ready: ServiceHarness) -> None:
    ready.apply(job(1))
    assert ready.apply(job(1, pricing_no=2)) == []
    assert states(ready) == {"J-1": "invoiced"}


def test_a_newer_revision_on_hold_waits_for_its_price(ready: ServiceHarness) -> None:
    ready.apply(job(1))
    held = job(1, revision=2, pricing_no=2, path=Path.HOLD)
    assert ready.apply(held) == []
    assert states(ready) == {"J-1": "invoiced"}
    assert len(reviews(ready.apply(job(1, revision=2, pricing_no=3)))) == 1


# ---------------------------------------------------------------- documents


def test_an_invoice_is_rendered_once_and_told(ready: ServiceHarness) -> None:
    (event,) = issued(ready.apply(job(1)))
    assert ready.work("render") == 1
    (told,) = ready.emitted
    assert isinstance(told, DocumentRendered)
    assert (told.invoice_id, told.document_kind, told.language) == (
        event.invoice_id,
        "invoice",
        "de",
    )
    content = DocumentStore(ready.settings.documents_dir).get(told.sha256)
    assert (content[:5], len(content)) == (b"%PDF-", told.size_bytes)
    assert ready.work("render") == 0
    (row,) = ready.query("SELECT state, attempts, sha256, missing_characters FROM document")
    assert (row.state, row.attempts, row.sha256, row.missing_characters) == (
        "rendered",
        1,
        told.sha256,
        None,
    )


def test_a_character_that_no_face_has_is_flagged(ready: ServiceHarness) -> None:
    ready.apply(customer(version=2, name="Raketen 🚀 GmbH", valid_from=date(2021, 1, 1)))
    ready.apply(job(1))
    ready.work("render")
    assert ready.query("SELECT missing_characters FROM document") == [("U+1F680",)]


def test_a_crash_while_rendering_is_made_good_when_the_lease_is_over(
    ready: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.apply(job(1))
    with monkeypatch.context() as crash:
        crash.setattr(documents, "_draw", _crash)
        with pytest.raises(KeyboardInterrupt):
            ready.work("render")
    assert ready.query("SELECT state FROM document") == [("rendering",)]
    assert ready.work("render") == 0
    later = system_now() + documents.LEASE
    monkeypatch.setattr(documents, "system_now", lambda: later)
    assert ready.work("render") == 1
    assert ready.query("SELECT state, attempts FROM document") == [("rendered", 2)]


def _crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_defect_stops_only_its_own_document_and_is_given_up_at_last(
    ready: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.apply(job(1), job(2, description="defect"))

    def render(event: InvoiceIssued, logo: object) -> Rendered:
        if event.description == "defect":
            raise ZeroDivisionError("no paper")
        return render_invoice(event, None)

    monkeypatch.setattr(documents, "render_invoice", render)
    now = system_now()
    for attempt in range(documents.ATTEMPTS_MAX):
        moment = now + timedelta(hours=attempt)
        monkeypatch.setattr(documents, "system_now", lambda moment=moment: moment)
        assert ready.work("render") == (2 if attempt == 0 else 1)
    monkeypatch.setattr(documents, "system_now", lambda: now + timedelta(days=1))
    assert ready.work("render") == 0
    rows = ready.query("SELECT state, attempts, last_error FROM document ORDER BY attempts")
    assert rows == [
        ("rendered", 1, None),
        ("failed", documents.ATTEMPTS_MAX, "ZeroDivisionError: no paper"),
    ]


def test_a_logo_that_is_not_there_does_not_stop_the_invoice(ready: ServiceHarness) -> None:
    ready.apply(entity(version=2, logo="0" * 64, valid_from=date(2021, 1, 1)))
    ready.apply(job(1))
    assert ready.work("render") == 1
    assert len(ready.emitted) == 1


# ---------------------------------------------------------------- keys and figures


def test_without_a_key_for_links_the_service_refuses_to_start(harness: ServiceHarness) -> None:
    bare = harness.settings.model_copy(update={"payment_link_key": None, "secrets_dir": None})
    harness.settings = bare
    with pytest.raises(ConfigurationError, match="PAYMENT_LINK_KEY"):
        check_link_key(harness)
    harness.settings = bare.model_copy(update={"payment_link_key": SecretStr("k")})
    check_link_key(harness)
    assert link_key(harness.settings) == b"k"


def test_unbilled_jobs_are_counted_by_state(ready: ServiceHarness) -> None:
    ready.apply(job(1), job(2, path=Path.REVIEW), job(3, path=Path.HOLD))
    ready.tick("figures")
    shown = {
        sample.labels["state"]: sample.value
        for family in JOBS_UNBILLED.collect()
        for sample in family.samples
    }
    assert shown == {"review": 1, "hold": 1}
