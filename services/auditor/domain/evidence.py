"""All that the topics say, folded record by record; of each only what the checks need is kept."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from services.auditor.domain import figures
from services.auditor.domain.books import digest, entry_from
from services.auditor.domain.deliveries import DocumentKey, Rendered
from services.auditor.domain.dunning import Reminder, Stage
from services.auditor.domain.facts import (
    INVOICE,
    Completed,
    Document,
    Extracted,
    InvoiceKey,
    JobKey,
    Seen,
    Tax,
    document,
    price,
    topic_of,
)
from services.auditor.domain.figures import Rule, Said
from services.auditor.domain.findings import Checked, Finding, checked
from services.auditor.domain.held import Applied
from services.auditor.domain.jobs import Jobs, Story
from services.auditor.domain.postings import Application, Payment, Posted, Told
from services.auditor.domain.records import Records
from shared.events.accounting import EntryPosted, InvoicePosted
from shared.events.billing import (
    CreditNoteIssued,
    DocumentRendered,
    InvoiceIssued,
    JobPriced,
    ReviewRequested,
)
from shared.events.collections import ReminderDue
from shared.events.delivery import DocumentDelivered, DocumentFailed
from shared.events.payments import PaymentApplied
from shared.events.production import JobCompleted, MetricsExtracted, QualityDecided


class Evidence:
    """Takes every record once; afterwards its fields are what the topics say."""

    def __init__(self, applied: Applied) -> None:
        self.records = Records(applied)
        self.jobs = Jobs()
        self.issued: dict[InvoiceKey, Document] = {}
        self.reviews: set[tuple[str, str, str, int]] = set()
        self.rendered: dict[DocumentKey, Rendered] = {}
        self.told: dict[str, dict[str, int]] = {"delivered": {}, "failed": {}}
        self.payments: dict[Application, Payment] = {}
        self.reminders: dict[Stage, Reminder] = {}
        self.accounting: dict[InvoiceKey, Told] = {}
        self.entries: dict[tuple[str, str], tuple[str, int]] = {}
        self._figures: defaultdict[Rule, list[Finding]] = defaultdict(list)
        self._looked_at: Counter[Rule] = Counter()
        self._takers: Mapping[str, Callable[[Seen], None]] = {
            topic_of(JobCompleted): self._completed,
            topic_of(QualityDecided): self._quality,
            topic_of(MetricsExtracted): self._extracted,
            topic_of(JobPriced): self._priced,
            topic_of(ReviewRequested): self._review,
            topic_of(InvoiceIssued): self._invoice,
            topic_of(CreditNoteIssued): self._credit_note,
            topic_of(DocumentRendered): self._rendered,
            topic_of(DocumentDelivered): self._delivered,
            topic_of(DocumentFailed): self._failed,
            topic_of(PaymentApplied): self._payment,
            topic_of(ReminderDue): self._reminder,
            topic_of(InvoicePosted): self._posted,
            topic_of(EntryPosted): self._entry,
        }

    def take(self, seen: Seen) -> None:
        """Note a record; what was said before says nothing new."""
        if self.records.take(seen) and (taker := self._takers.get(seen.topic)):
            taker(seen)

    @property
    def invoices(self) -> Mapping[InvoiceKey, Document]:
        """The issued invoices, without credit notes."""
        return {key: one for key, one in self.issued.items() if one.document_type == INVOICE}

    def figures_checked(self) -> Iterator[Checked]:
        """The rules that every price and document was held against when it passed by."""
        for rule in ALL_FIGURES:
            yield checked(rule, self._looked_at[rule], self._figures[rule])

    def _hold(self, rules: tuple[Rule, ...], said: Said, subject: object, topic: str) -> None:
        for rule in rules:
            self._looked_at[rule] += 1
            try:
                self._figures[rule] += rule(said, str(subject), topic)
            except (ArithmeticError, ValueError) as error:  # due after the year 9999, say
                words = f"{type(error).__name__}: {error}"
                found = Finding(str(subject), "figures within bounds", words, topic)
                self._figures[rule].append(found)

    def _story(self, seen: Seen) -> Story:
        return self.jobs.stories[JobKey(seen.fields["legal_entity_id"], seen.fields["job_id"])]

    def _completed(self, seen: Seen) -> None:
        said, story = seen.fields, self._story(seen)
        story.completed[said["revision"]] = Completed(
            said["revision"], said["quality"], seen.at_ms, seen.identity, seen.place
        )

    def _quality(self, seen: Seen) -> None:
        said = seen.fields
        self._story(seen).qualities.append((said["revision"], said["quality"]))

    def _extracted(self, seen: Seen) -> None:
        revision = seen.fields["revision"]
        self._story(seen).extracted[revision] = Extracted(revision, seen.at_ms, seen.identity)

    def _priced(self, seen: Seen) -> None:
        found = price(seen)
        self._story(seen).prices[found.order] = found
        key = JobKey(seen.fields["legal_entity_id"], seen.fields["job_id"])
        subject = f"{key}, pricing {found.pricing_no}"
        self._hold(figures.OF_PRICE, seen.fields, subject, seen.topic)

    def _review(self, seen: Seen) -> None:
        said = seen.fields
        which = (said["legal_entity_id"], said["subject_kind"], said["subject_id"])
        self.reviews.add((*which, said["subject_version"]))

    def _invoice(self, seen: Seen) -> None:
        found = document(seen, is_invoice=True)
        self.issued[found.key] = found
        self.jobs.stories[found.job].invoices.append(found)
        self._hold(figures.OF_INVOICE, seen.fields, found, seen.topic)

    def _credit_note(self, seen: Seen) -> None:
        found = document(seen, is_invoice=False)
        self.issued[found.key] = found
        self._hold(figures.OF_DOCUMENT, seen.fields, found, seen.topic)

    def _rendered(self, seen: Seen) -> None:
        said = seen.fields
        key = DocumentKey(said["legal_entity_id"], said["invoice_id"], said["document_kind"])
        rendered = Rendered(said["sha256"], said["size_bytes"], seen.identity, seen.at_ms)
        self.rendered[key] = rendered

    def _delivered(self, seen: Seen) -> None:
        self.told["delivered"][seen.fields["message_id"]] = seen.at_ms

    def _failed(self, seen: Seen) -> None:
        self.told["failed"][seen.fields["message_id"]] = seen.at_ms

    def _payment(self, seen: Seen) -> None:
        said = seen.fields
        which = Application(
            said["legal_entity_id"], said["payment_id"], said["invoice_id"], said["application_no"]
        )
        payment = Payment(said["currency"], said["amount"], seen.identity, seen.at_ms)
        self.payments[which] = payment

    def _reminder(self, seen: Seen) -> None:
        said = seen.fields
        key = InvoiceKey(said["legal_entity_id"], said["invoice_id"])
        self.reminders[key, said["stage"]] = Reminder(
            said["due_on"],
            said["days_overdue"],
            said["decided_at"],
            said["open_amount"],
            said["disputed_amount"],
            seen.at_ms,
        )

    def _posted(self, seen: Seen) -> None:
        said = seen.fields
        posted = Posted(
            said["document_type"],
            said["document_number"],
            said["entry_id"],
            said["currency"],
            said["net_total"],
            said["tax_total"],
            said["gross_total"],
        )
        taxes = tuple(Tax(**tax) for tax in said["taxes"])
        key = InvoiceKey(said["legal_entity_id"], said["document_id"])
        self.accounting[key] = Told(posted, taxes, seen.at_ms)

    def _entry(self, seen: Seen) -> None:
        entry = entry_from(seen.fields)
        key = entry.legal_entity_id, entry.entry_id
        computed = digest(entry)
        self.entries[key] = computed if computed == entry.hash else "not its own", seen.at_ms


ALL_FIGURES: Final = tuple(dict.fromkeys((*figures.OF_PRICE, *figures.OF_INVOICE)))
