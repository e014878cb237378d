"""The document store: bytes put and got by their sha256, on a directory.

What stands under a sha256 is always whole, and stays. Putting the same bytes again changes nothing.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from shared.errors import ColophonError
from shared.files import put_whole


class DocumentMissing(ColophonError):
    """No document has this sha256: restore the store from its backup, or render again."""


@dataclass(frozen=True)
class DocumentStore:
    """Documents under `root`, fanned out by the first two hex digits."""

    root: Path

    def put(self, content: bytes) -> str:
        """Keep `content` and return its sha256 in hex."""
        digest = sha256(content).hexdigest()
        target = self._path(digest)
        if not target.exists():
            put_whole(self.root, target, content)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes whose sha256 is `digest`; raises `DocumentMissing`, also when they rotted."""
        try:
            content = self._path(digest).read_bytes()
        except FileNotFoundError as error:
            raise DocumentMissing(digest) from error
        if sha256(content).hexdigest() != digest:
            msg = f"{digest}: the stored bytes have another sha256"
            raise DocumentMissing(msg)
        return content

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):  # noqa: PLR2004 -- hex digits of a sha256
            msg = f"not a sha256 in hex: {digest!r}"
            raise DocumentMissing(msg)
        return self.root / digest[:2] / digest
