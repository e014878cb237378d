"""Documents and mails on disk: what lies there, and what the PDFs say."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from pypdfium2 import PdfDocument, PdfiumError

from services.auditor.domain.deliveries import Stored
from shared.documents import DocumentMissing, DocumentStore

_MESSAGE_ID: Final = re.compile(rb"^Message-ID:\s*<?([^>\s@]+)", re.IGNORECASE | re.MULTILINE)
_HEAD_BYTES: Final = 16 * 1024
_PORTION: Final = 10
_PROCESSES_MAX: Final = 4
_ALONE_MAX: Final = 2 * _PORTION
Texts = Mapping[str, str]


def stored_documents(root: Path, digests: Iterable[str]) -> Mapping[str, Stored]:
    """What lies under each sha256: the true hash and size of the bytes; none where no file is."""
    found = {}
    for digest in digests:
        try:
            content = (root / digest[:2] / digest).read_bytes()
        except OSError:
            continue
        found[digest] = Stored(sha256(content).hexdigest(), len(content))
    return found


def mail_copies(folder: Path) -> Counter[str] | None:
    """How often each delivery's mail lies in the sink's `folder`; None where there is no sink.

    A delivery's message id is the part of the Message-ID before the @.
    """
    if not folder.is_dir():
        return None
    return Counter(_message_id(file) for file in folder.glob("*.eml"))


@contextmanager
def pdf_texts(root: Path, digests: Iterable[str]) -> Iterator[Iterator[tuple[str, str]]]:
    """The text of each PDF, read by other processes meanwhile; "" where there is none to read."""
    wanted = list(digests)
    if len(wanted) <= _ALONE_MAX:
        yield iter(_texts(root, wanted))
        return
    processes = min(_PROCESSES_MAX, os.cpu_count() or 1)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        portions = (wanted[at : at + _PORTION] for at in range(0, len(wanted), _PORTION))
        yield _results([pool.submit(_texts, root, portion) for portion in portions])


def _results(futures: list[Future[list[tuple[str, str]]]]) -> Iterator[tuple[str, str]]:
    for future in futures:
        yield from future.result()


def _texts(root: Path, digests: list[str]) -> list[tuple[str, str]]:
    store = DocumentStore(root)
    return [(digest, _text(store, digest)) for digest in digests]


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
