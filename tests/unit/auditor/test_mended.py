"""Records that were mended: judged by what was applied, which must be the same everywhere."""

from dataclasses import replace
from typing import Any

import pytest

from services.auditor.domain.facts import Seen
from shared.events.payments import PaymentApplied
from shared.identity import message_id, topic_of
from tests.unit.auditor.world import World, again, held_of, sound

READERS = ("notifier", "ledger_writer", "dunning_scheduler")
ALIKE = {reader: {"amount": 10} for reader in READERS}
RULE = "mended records say the same"


def mended(world: World, **said: Any) -> Seen:  # noqa: ANN401 -- whole values, as contents
    """The payment of a sound world, mended with what each service `said`; kept by all of them."""
    event = world.first(PaymentApplied)
    world.events.remove(event)
    seen = replace(again(event, offset=99), mended_by=tuple(said))
    world.raw.append(seen)
    world.files["corrected"] = {seen.place: said}
    topic = topic_of(event)
    world.applied |= {(reader, topic.name, message_id(topic, event)) for reader in READERS}
    world.held += [held_of(event, reader, "replayed", "currency-mismatch") for reader in said]
    return seen


def test_a_payment_that_was_mended_alike_is_sound() -> None:
    """Given a value that all services applied in place of the record's, then nothing is found."""
    world = sound()
    mended(world, **ALIKE)
    assert world.broken() == {}


@pytest.mark.parametrize("other", [{"amount": 12}, None])
def test_services_that_applied_different_values_are_found(other: dict[str, int] | None) -> None:
    """Given one service mended otherwise, or not at all, then it is named with the fields."""
    world = sound()
    said = dict(ALIKE)
    if other is None:
        del said["dunning_scheduler"]
    else:
        said["dunning_scheduler"] = other
    seen = mended(world, **said)
    world.files["contents"] = {seen.place: {"amount": 200}}
    (found,) = next(one.findings for one in world.audit() if one.rule == RULE)
    assert "amount" in found.found
    assert found.subject.startswith("dunning_scheduler")
    assert world.broken().keys() == {RULE}


def test_a_mended_record_that_was_compacted_away_is_compared_no_more() -> None:
    """Given one service that applied the record as it was, which nobody can read any more."""
    world = sound()
    mended(world, **{name: {"amount": 10} for name in READERS[:2]})
    assert world.broken() == {}


def test_a_service_that_discarded_the_record_need_not_agree() -> None:
    """Given a value that one service applied and another discarded, then that is no difference."""
    world = sound()
    seen = mended(world, **{name: {"amount": 10} for name in READERS[:2]})
    world.applied = {one for one in world.applied if one[0] != "dunning_scheduler"}
    world.held.append(held_of_seen(seen, "dunning_scheduler", "discarded"))
    assert RULE not in world.broken()


def test_what_is_sent_again_may_repeat_the_mended_value() -> None:
    """Given a mended record sent again, then it says the same as what was applied."""
    world = sound()
    seen = mended(world, **ALIKE)
    once_more = replace(seen, offset=120, digest=b"other bytes", mended_by=())
    world.raw.append(once_more)
    world.files["contents"] = {seen.place: {"amount": 7}, once_more.place: {"amount": 10}}
    assert world.broken() == {}


def held_of_seen(seen: Seen, service: str, state: str) -> Any:  # noqa: ANN401 -- a held record
    """What `service` holds of the record `seen`."""
    event = sound().first(PaymentApplied)
    return replace(held_of(event, service, state, "currency-mismatch"), offset=seen.offset)
