"""Replies of mail servers: which are final, and that no address slips into an event."""

import pytest

from services.notifier.domain.delivery import Deferred, Refused
from services.notifier.domain.replies import REASON_MAX, Step, judge, redact

ADDRESS = "marlene.voss@nordlicht.example"


@pytest.mark.parametrize("code", [250, 251, 354])
def test_a_yes_is_no_verdict(code: int) -> None:
    assert judge(Step.CONTENT, code, "ok", ADDRESS) is None


@pytest.mark.parametrize(
    ("step", "code", "verdict"),
    [
        (Step.SENDER, 451, Deferred("sender-deferred", "451 no")),
        (Step.SENDER, 550, Deferred("sender-deferred", "550 no")),
        (Step.SENDER, 552, Refused("mail-too-large", "552 no")),
        (Step.RECIPIENT, 450, Deferred("recipient-deferred", "450 no")),
        (Step.RECIPIENT, 550, Refused("recipient-refused", "550 no")),
        (Step.CONTENT, 421, Deferred("content-deferred", "421 no")),
        (Step.CONTENT, 523, Refused("mail-too-large", "523 no")),
        (Step.CONTENT, 554, Refused("content-refused", "554 no")),
        (Step.CONTENT, -1, Deferred("content-deferred", "-1 no")),
    ],
)
def test_five_hundreds_are_final_except_about_ourselves(
    step: Step, code: int, verdict: Refused | Deferred
) -> None:
    assert judge(step, code, "no", ADDRESS) == verdict


@pytest.mark.parametrize(
    "reply",
    [
        "5.1.1 <marlene.voss@nordlicht.example>: Recipient address rejected",
        "No such user Marlene.Voss here",
        "unknown: MARLENE.VOSS@NORDLICHT.EXAMPLE\r\nplease check",
    ],
)
def test_the_address_is_not_kept(reply: str) -> None:
    kept = redact(reply, ADDRESS)

    assert "voss" not in kept.lower()
    assert "[recipient]" in kept
    assert "\n" not in kept


def test_a_short_local_part_does_not_eat_the_words_around_it() -> None:
    assert redact("550 no mailbox", "no@nordlicht.example") == "550 no mailbox"


def test_a_local_part_inside_a_longer_word_stays() -> None:
    assert redact("user info@ruination", "ruin@nordlicht.example") == "user info@ruination"


def test_a_long_reply_is_cut() -> None:
    assert len(redact("x" * 5000, ADDRESS)) == REASON_MAX
