"""The ledger's named queries; each reads a whole batch, or the end of every chain, at once."""

from typing import Final

from sqlalchemy import text

OWNERS_OF_NUMBERS: Final = text("""
    SELECT legal_entity_id, document_number, document_id
    FROM posted_document
    JOIN unnest(CAST(:entities AS text[]), CAST(:numbers AS text[]))
        AS wanted (legal_entity_id, document_number) USING (legal_entity_id, document_number)
""")
"""Which documents have these numbers: a number is posted once."""


HEADS: Final = text(
    "SELECT legal_entity_id, sequence, hash FROM chain_head ORDER BY legal_entity_id FOR UPDATE"
)
"""Every head, locked: nobody posts while the books are looked at."""
TAILS: Final = text("""
    SELECT entry.*, side.account, side.account_name, side.debit, side.credit, side.text
    FROM chain_head AS head
    CROSS JOIN LATERAL (
        SELECT * FROM journal_entry
        WHERE legal_entity_id = head.legal_entity_id
        ORDER BY sequence DESC LIMIT :count
    ) AS entry
    LEFT JOIN posting AS side USING (entry_id)
    ORDER BY entry.legal_entity_id, entry.sequence, side.line_no
""")
"""The last entries of every chain, a row for each posting."""


OPEN: Final = text("""
    SELECT currency, sum(open_amount) AS open_amount,
        COALESCE(sum(open_amount) FILTER (WHERE due_on < :today), 0) AS overdue
    FROM receivable WHERE open_amount <> 0 GROUP BY currency
""")
"""What customers owe, by currency."""
IMBALANCE: Final = text("""
    SELECT entry.currency, COALESCE(sum(side.debit - side.credit), 0) AS amount
    FROM chain_head AS head
    JOIN journal_entry AS entry
        ON entry.legal_entity_id = head.legal_entity_id AND entry.sequence > head.sequence - :count
    LEFT JOIN posting AS side USING (entry_id)
    GROUP BY entry.currency
""")
"""Debits less credits of the last entries of every chain, by currency: zero."""
