"""What a mail server's reply means for one mail (RFC 5321, 4.2), and how much of it may be kept."""

import re
from enum import StrEnum
from typing import Final

from services.notifier.domain.delivery import Deferred, Refused

REASON_MAX: Final = 300
SERVICE_CLOSING: Final = 421
TOO_LARGE: Final = frozenset({523, 552})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\s]+")
_LOCAL_PART_MIN = 3


class Step(StrEnum):
    """The three things a server says yes or no to."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


def judge(step: Step, code: int, reply: str, address: str) -> Refused | Deferred | None:
    """What the reply `code` at `step` means for a mail to `address`; None where it is a yes.

    A sender refused says something about us, not about the mail: it stays deferred, so that a
    mended configuration loses nothing.
    """
    if 200 <= code < 400:  # noqa: PLR2004 - 2xx done, 3xx go on
        return None
    reason = redact(f"{code} {reply}", address)
    if code in TOO_LARGE:
        return Refused("mail-too-large", reason)
    if code >= 500 and step is not Step.SENDER:  # noqa: PLR2004 - 5xx: do not repeat
        return Refused(f"{step}-refused", reason)
    return Deferred(f"{step}-deferred", reason)


def redact(reply: str, address: str) -> str:
    """`reply` on one line, shortened, without the person's address: events carry ids only."""
    local_part = address.partition("@")[0]
    text = _UNPRINTABLE.sub(" ", reply).strip()
    text = re.sub(re.escape(address), "[recipient]", text, flags=re.IGNORECASE)
    if len(local_part) >= _LOCAL_PART_MIN:
        whole = rf"(?<![\w.]){re.escape(local_part)}(?![\w.])"
        text = re.sub(whole, "[recipient]", text, flags=re.IGNORECASE)
    return text[:REASON_MAX]
