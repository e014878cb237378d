"""The two ways out: a mail relay over SMTP, and a folder that customers collect files from."""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.notifier.domain.delivery import Deferred, Outcome, Refused, Sent
from services.notifier.domain.replies import SERVICE_CLOSING, Step, judge
from shared.errors import Transient
from shared.files import put_whole
from shared.settings import Settings

REPLY_SECONDS: Final = 30.0
"""How long the relay may take for one answer; all answers of one mail stay far below its lease."""
Away = (OSError, smtplib.SMTPException)
"""What smtplib raises when the other side is not there any more, or talks nonsense."""


class Relay:
    """One connection to the mail relay, for one portion of mails.

    Entering raises `Transient` when the relay cannot be reached or will not have us: that is no
    mail's fault. `is_lost` after a mail means that no further one can be sent on this connection.
    """

    def __init__(self, settings: Settings) -> None:
        self.sender = settings.smtp_sender
        self.domain = settings.smtp_sender.rpartition("@")[2]
        self.is_lost = False
        self._settings = settings
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        settings = self._settings
        host, port = settings.smtp_host, settings.smtp_port
        try:
            self._smtp = smtplib.SMTP(host, port, local_hostname=self.domain, timeout=REPLY_SECONDS)
            self._smtp.ehlo_or_helo_if_needed()
            if settings.smtp_starttls:
                self._smtp.starttls(context=ssl.create_default_context())
            if settings.smtp_user and settings.smtp_password:
                self._smtp.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        except Away as error:
            self.__exit__(None, None, None)
            msg = f"the mail relay {host}:{port} does not take mail: {error}"
            raise Transient("smtp", msg) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except Away:
                self._smtp.close()

    def send(self, recipient: str, content: bytes) -> Outcome:
        """Offer one mail (CRLF lines) to the relay, and say what became of it."""
        is_content_out = False
        smtp = self._connected()
        try:
            size = [f"size={len(content)}"] if smtp.has_extn("size") else []
            steps: tuple[tuple[Step, Callable[[], tuple[int, bytes]]], ...] = (
                (Step.SENDER, lambda: smtp.mail(self.sender, size)),
                (Step.RECIPIENT, lambda: smtp.rcpt(recipient)),
                (Step.CONTENT, lambda: smtp.docmd("DATA")),
            )
            for step, take in steps:
                if refusal := self._judged(step, take(), recipient):
                    return refusal
            is_content_out = True
            smtp.send(_stuffed(content) + b"\r\n.\r\n")
            return self._judged(Step.CONTENT, smtp.getreply(), recipient) or Sent()
        except Away as error:
            self.is_lost = True
            reason = type(error).__name__
            return Deferred("connection-lost", reason, is_ambiguous=is_content_out)

    def _judged(
        self, step: Step, answer: tuple[int, bytes], recipient: str
    ) -> Refused | Deferred | None:
        code, reply = answer
        verdict = judge(step, code, reply.decode("utf-8", "replace"), recipient)
        if verdict is not None:
            self._start_over(code)
        return verdict

    def _start_over(self, code: int) -> None:
        """Clear the table for the next mail, if the relay still talks to us."""
        self.is_lost = code == SERVICE_CLOSING
        if not self.is_lost:
            try:
                self._connected().rset()
            except Away:
                self.is_lost = True

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is None:
            msg = "a relay sends mail inside its with block only"
            raise AssertionError(msg)
        return self._smtp


@dataclass(frozen=True)
class Drop:
    """A folder of files to collect; entering raises `Transient` when it cannot be written to."""

    root: Path
    is_lost: bool = False

    def __enter__(self) -> Self:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"the drop folder {self.root} cannot be made: {error.strerror}"
            raise Transient("file-drop", msg) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held open."""

    def put(self, parts: tuple[str, ...], content: bytes) -> Outcome:
        """Write `content` under the path of `parts`, each a safe name; whole or not at all.

        The same file again is the same file: a crash between writing and recording harms nobody.
        """
        try:
            put_whole(self.root, self.root.joinpath(*parts), content)
        except OSError as error:
            return Deferred("drop-failed", error.strerror or type(error).__name__)
        return Sent()


def _stuffed(content: bytes) -> bytes:
    """`content` with a dot before every leading dot (RFC 5321, 4.5.2)."""
    body = content.removesuffix(b"\r\n").replace(b"\r\n.", b"\r\n..")
    return b"." + body if body.startswith(b".") else body
