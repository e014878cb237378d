"""The three fates of an error, and the exceptions that name them.

A record is rejected (its own fault, a person mends it), waits (a fact is not known yet) or is
tried again (the world's fault). Whatever is none of these is a bug: it is tried a bounded number
of times and then becomes a dead letter with its stack trace.
"""

import traceback
from collections.abc import Iterator, Mapping
from typing import Final

HEADLINE_MAX: Final = 500
STACK_MAX: Final = 8_000
_CHAIN_MAX: Final = 4
_FRAMES_MAX: Final = 15


class ColophonError(Exception):
    """Base of every error this project raises on purpose."""


class ConfigurationError(ColophonError):
    """A setting, file or topic is not as it must be; the message says what to do. Exit code 2."""


class Rejected(ColophonError):
    """The record breaks a rule: mend the record and send it again, or discard the dead letter.

    `code` is a stable kebab-case reason, `facts` are the fields and values that show why. The
    message quotes nothing of the record: it is kept where the facts may not be, since the `field`
    that they name, or all of the record, is about people.
    """

    stage = "handle"

    def __init__(self, code: str, message: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts: Mapping[str, str] = {name: str(value) for name, value in facts.items()}

    def __str__(self) -> str:
        """The message, then the facts, so that a log line and a dead letter read alike."""
        if not self.facts:
            return self.message
        return f"{self.message} ({', '.join(f'{k}={v}' for k, v in self.facts.items())})"


class Undecodable(Rejected):
    """The bytes are no record of this topic: the producer must send it again, well formed."""

    stage = "decode"


class Invalid(Rejected):
    """The record decodes but a field breaks its contract: the facts name field and value.

    `plain` holds the decoded fields by name where decoding came so far: they still say whose fact
    this is, so that its mended version can take its place.
    """

    stage = "validate"
    plain: Mapping[str, object] | None = None


class Unquoted(ColophonError):
    """Stands for another's error met on a record with personal data: its kind and place alone.

    Nobody knows which fields its words quote.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__("its words are left out: the record holds personal data")
        self.kind = kind_of(error)
        self.__traceback__ = error.__traceback__


class WaitFor(ColophonError):
    """A fact never seen by this service is needed: the record waits for (`kind`, `key`)."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"waits for {kind} {key}")
        self.kind = kind
        self.key = key


class Transient(ColophonError):
    """The world is not ready (broker, database, registry, SMTP, another writer): try again."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unreachable(Transient, ConfigurationError):
    """A server that a setting names does not answer: a service tries again, a command ends.

    The message names the variable, its value without password, the cause and what to do.
    """


class ConcurrentWrite(Transient):
    """Another transaction wrote or deleted the same row: run the batch again on what it left."""

    def __init__(self, table: str) -> None:
        super().__init__(
            "concurrent-write", f"rows of {table} are not as they were read: another wrote them"
        )


def kind_of(error: BaseException) -> str:
    """The name of the class of `error`."""
    return error.kind if isinstance(error, Unquoted) else type(error).__name__


def headline(error: BaseException) -> str:
    """Kind and first line of `error`: the lines after it hold values (a failing row, an input)."""
    text = str(error).strip().partition("\n")[0]
    return f"{kind_of(error)}: {text}"[:HEADLINE_MAX]


def stack_of(error: BaseException) -> str:
    """The stack traces of `error` and of what it came from, the innermost first, bounded."""
    chain = list(_chain(error))[-_CHAIN_MAX:]
    parts = ["".join((*traceback.format_tb(e.__traceback__, -_FRAMES_MAX), headline(e)))
             for e in reversed(chain)]  # fmt: skip
    return "\n\nwhich led to\n\n".join(parts)[-STACK_MAX:]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and its causes; Python keeps them free of cycles."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
