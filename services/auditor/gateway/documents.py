"""Documents and mails on disk: what lies there, and what the PDFs say."""

import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from pypdfium2 import PdfDocument, PdfiumError

from services.auditor.domain.deliveries import NO_MAILS, Mails, Stored
from shared.documents import DocumentMissing, DocumentStore

_MESSAGE_ID: Final = re.compile(rb"^Message-ID:\s*<?([^>\s@]+)", re.IGNORECASE | re.MULTILINE)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_HEAD_BYTES: Final = 16 * 1024


def stored_documents(root: Path, digests: Iterable[str]) -> Mapping[str, Stored]:
    """What lies under each sha256: the true hash and size of the bytes; none where no file is."""
    found = {}
    for digest in filter(_SHA256.fullmatch, digests):  # what else an event names is no path of ours
        try:
            content = (root / digest[:2] / digest).read_bytes()
        except OSError:
            continue
        found[digest] = Stored(sha256(content).hexdigest(), len(content))
    return found


def mail_copies(folder: Path) -> Mapping[str, Mails] | None:
    """The mails of each delivery in the sink's `folder`; None where there is no sink.

    A delivery's message id is the part of the Message-ID before the @.
    """
    if not folder.is_dir():
        return None
    found: dict[str, Mails] = {}
    for file in folder.glob("*.eml"):
        message_id, kept_ms = _message_id(file), file.stat().st_mtime_ns // 1_000_000
        count, newest_ms = found.get(message_id, NO_MAILS)
        found[message_id] = Mails(count + 1, max(newest_ms, kept_ms))
    return found


def pdf_texts(root: Path, digests: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The text of each PDF by its sha256; "" where there is none to read."""
    store = DocumentStore(root)
    for digest in digests:
        yield digest, _text(store, digest)


def _text(store: DocumentStore, digest: str) -> str:
    try:
        with PdfDocument(store.get(digest)) as document:
            return "\n".join(page.get_textpage().get_text_bounded() for page in document)
    except (DocumentMissing, PdfiumError, ValueError):
        return ""


def _message_id(file: Path) -> str:
    with file.open("rb") as content:
        head = content.read(_HEAD_BYTES).partition(b"\r\n\r\n")[0]
    found = _MESSAGE_ID.search(head)
    return found[1].decode("ascii", "replace") if found else file.name
