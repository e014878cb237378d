"""Rendering as a worker: once, after crashes, past defects."""

from datetime import date, timedelta
from errno import ENOSPC

import pytest

from services.invoicer.handler import documents
from services.invoicer.render import Rendered, render_invoice
from shared.clock import system_now
from shared.documents import DocumentStore
from shared.events.billing import (
    DocumentRendered,
    InvoiceIssued,
)
from shared.testing import ServiceHarness
from tests.integration.invoicer.made import issued, job
from tests.unit.invoicer.factory import (
    customer,
    entity,
)


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


def test_a_document_that_kills_the_process_is_given_up_and_takes_no_other_with_it(
    ready: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.apply(*(job(n, description="deadly" if n == 3 else "sound") for n in range(1, 6)))

    def render(event: InvoiceIssued, logo: object) -> Rendered:
        if event.description == "deadly":
            raise KeyboardInterrupt
        return render_invoice(event, None)

    monkeypatch.setattr(documents, "render_invoice", render)
    now = system_now()
    for minute in range(documents.ATTEMPTS_MAX + 1):
        moment = now + minute * documents.LEASE
        monkeypatch.setattr(documents, "system_now", lambda moment=moment: moment)
        _work_until_idle(ready)
        if minute == 1:
            counts = ready.query("SELECT state, count(*) FROM document GROUP BY state ORDER BY 1")
            assert counts == [("rendered", 4), ("rendering", 1)]

    (row,) = ready.query("SELECT state, attempts, last_error FROM document WHERE sha256 IS NULL")
    assert row == (
        "failed",
        documents.ATTEMPTS_MAX,
        "TimeoutError: the last attempt was cut off: its lease ran out",
    )


def _work_until_idle(harness: ServiceHarness) -> None:
    """Portion after portion, the process started anew whenever one kills it."""
    is_busy = True
    while is_busy:
        try:
            is_busy = harness.work("render") > 0
        except KeyboardInterrupt:
            continue


def test_a_store_that_cannot_be_written_costs_no_attempt(
    ready: ServiceHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready.apply(job(1), job(2))

    def full(*_: object) -> str:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as away:
        away.setattr(DocumentStore, "put", full)
        for _ in range(documents.ATTEMPTS_MAX + 1):
            with pytest.raises(OSError, match="No space left"):
                ready.work("render")

    assert ready.work("render") == 2
    assert ready.query("SELECT state, attempts FROM document") == [("rendered", 1)] * 2


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
