"""A mail server that delivers to nobody: every mail becomes a file, every Message-ID is counted.

The demo and the tests send to it what production would send to its relay, so that nobody is mailed
by accident and "sent twice" can be seen. `python -m shared.local.mailsink DIRECTORY PORT` runs it.
"""

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from email.parser import BytesHeaderParser
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import quote

from aiosmtpd.smtp import SMTP, Envelope, Session

Step = Literal["MAIL", "RCPT", "DATA"]
Answer = Callable[[Step, str, bytes], str | None]
"""(step, address, content) -> a reply such as "550 No such user" that refuses, None to accept."""

BYTES_MAX: Final = 32 * 1024 * 1024
NAME_MAX: Final = 150
START_SECONDS: Final = 10.0
_HEADERS = BytesHeaderParser()


class MailSink:
    """An SMTP server in a thread that keeps what it accepts as .eml files in `directory`.

    Port 0 takes a free one. `answer` may refuse a sender, a recipient or a mail, as a real server
    would. The first mail of a Message-ID is `<id>.eml`, a repeated one `<id>~2.eml`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        answer: Answer | None = None,
    ) -> None:
        self.directory = directory
        self.host = host
        self.port = port
        self._answer = answer
        self._copies: Counter[str] = Counter()
        self._thread: Thread | None = None
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()

    @property
    def copies(self) -> Mapping[str, int]:
        """How often each Message-ID (without its angle brackets) has arrived."""
        return dict(self._copies)

    def start(self) -> Self:
        """Listen; returns when mail is accepted. Raises OSError when the port is taken."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._copies = message_ids(self.directory)
        listener = socket.create_server((self.host, self.port), backlog=128)
        self.port = listener.getsockname()[1]
        ready = Event()
        self._thread = Thread(target=self._run, args=(listener, ready), name="mailsink")
        self._thread.start()
        if not ready.wait(START_SECONDS):
            msg = "the mail sink did not start: see the traceback of its thread"
            raise RuntimeError(msg)
        return self

    def stop(self) -> None:
        """Close the listener and what is still connected; stopping twice is stopping once."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd finds its hooks by these names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the sender unless told otherwise."""
        del server, session
        refusal = self._refusal("MAIL", address)
        if refusal is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return refusal or "250 OK"

    async def handle_RCPT(  # noqa: N802 - see handle_MAIL
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Accept the recipient unless told otherwise."""
        del server, session
        refusal = self._refusal("RCPT", address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return refusal or "250 OK"

    async def handle_DATA(  # noqa: N802 - see handle_MAIL
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail unless told otherwise."""
        del server, session
        content = envelope.content
        if not isinstance(content, bytes):
            return "451 4.3.0 this sink keeps bytes only"
        refusal = self._refusal("DATA", envelope.rcpt_tos[0], content)
        return refusal or self._keep(content)

    def _refusal(self, step: Step, address: str, content: bytes = b"") -> str | None:
        return self._answer(step, address, content) if self._answer else None

    def _keep(self, content: bytes) -> str:
        name = message_id(content)
        self._copies[name] += 1
        copy = self._copies[name]
        target = self.directory / f"{_file_name(name)}{f'~{copy}' if copy > 1 else ''}.eml"
        scratch = target.with_suffix(".new")
        scratch.write_bytes(content)
        scratch.replace(target)
        return f"250 OK kept as {target.name}"

    def _run(self, listener: socket.socket, ready: Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listener, ready))

    async def _serve(self, listener: socket.socket, ready: Event) -> None:
        server = await self._loop.create_server(self._connection, sock=listener)
        async with server:
            ready.set()
            await self._stopping.wait()

    def _connection(self) -> SMTP:
        return _Conversation(
            self,
            data_size_limit=BYTES_MAX,
            enable_SMTPUTF8=True,
            hostname="mailsink.invalid",
            ident="Colophon mail sink",
            loop=self._loop,
        )


class _Conversation(SMTP):
    """One connection, which takes a mail in one piece where aiosmtpd takes it line by line.

    A 40 KB mail has 600 lines: at 5 ms each mail the sink would set the pace of the pipeline.
    """

    line_length_limit = BYTES_MAX

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - see MailSink.handle_MAIL
        """Receive a mail up to the lone dot (RFC 5321, 4.5.2) and hand it to the sink."""
        if arg or self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("501 Syntax: DATA" if arg else "503 Error: need RCPT command")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = bytearray()
        try:
            while content != b".\r\n" and not content.endswith(b"\r\n.\r\n"):
                content += await self._reader.readuntil(b".\r\n")
        except asyncio.LimitOverrunError:
            await self.push("552 5.3.4 too much mail data")
            self._writer.close()
            return
        stuffed = bytes(content[:-3]).removeprefix(b".")
        self.envelope.content = stuffed.replace(b"\r\n.", b"\r\n")
        status = await self._call_handler_hook("DATA")
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(status)


def message_id(content: bytes) -> str:
    """The Message-ID of a mail without its angle brackets; of a mail without one, its sha256."""
    head, _, _ = content.partition(b"\r\n\r\n")
    stated = _HEADERS.parsebytes(head).get("Message-ID")
    return str(stated).strip().strip("<>") if stated else sha256(content).hexdigest()


def message_ids(directory: Path) -> Counter[str]:
    """How often each Message-ID stands in the mails of `directory`."""
    return Counter(message_id(file.read_bytes()) for file in directory.glob("*.eml"))


def _file_name(name: str) -> str:
    safe = quote(name, safe="@")
    if len(safe) > NAME_MAX or safe.startswith("."):
        return sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return safe


def main(arguments: list[str]) -> int:
    """Run a sink until SIGTERM or SIGINT."""
    match arguments:
        case [directory, port] if port.isdecimal():
            stop = Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda _number, _frame: stop.set())
            with MailSink(Path(directory), port=int(port)) as sink:
                sys.stdout.write(f"mail sink on {sink.host}:{sink.port}, mails in {directory}\n")
                sys.stdout.flush()
                stop.wait()
            return 0
        case _:
            sys.stderr.write("usage: python -m shared.local.mailsink DIRECTORY PORT\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
