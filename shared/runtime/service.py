"""What a service is made of, as its `main.py` declares it; the runtime does the rest."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, MetaData

from shared.clock import Clock
from shared.errors import ConfigurationError, WaitFor
from shared.events.base import Event
from shared.ids import index_key
from shared.settings import Settings
from shared.store import Store
from shared.topology import consumers

Handler = Callable[[Any, Any, datetime], Iterable[Event]]
"""(event, store, business time in UTC) -> events out; raises `Rejected` or `WaitFor`."""
GiveUp = Callable[[Any, Any, datetime, WaitFor], Iterable[Event]]
"""As `Handler`, for a record whose fact did not come in time."""


@dataclass(frozen=True)
class Fact:
    """Something this service may wait for, named by kind and key; a long key is shortened."""

    kind: str
    key: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", index_key(self.key.encode()).decode("utf-8", "replace"))


@dataclass(frozen=True)
class Tick:
    """Work that time brings: `run(store, now)` in a transaction of its own, every `every_s`.

    It claims a bounded number of rows (FOR UPDATE SKIP LOCKED), works on them `one_by_one`,
    returns events, and is run again at once while it returns any.
    """

    name: str
    run: Callable[[Any, datetime], Iterable[Event]]
    every_s: float = 1.0


class UnitOfWork(Protocol):
    """One transaction of a `Worker`: rows put and events emitted are committed together."""

    @property
    def store(self) -> Any:  # noqa: ANN401 - the service's own store
        """A fresh store on this transaction."""
        ...

    @property
    def now(self) -> datetime:
        """The business time, UTC."""
        ...

    def emit(self, *events: Event) -> None:
        """Publish `events` when the transaction commits."""
        ...


class Desk(Protocol):
    """What a worker works at."""

    settings: Settings
    clock: Clock

    def begin(self) -> AbstractContextManager[UnitOfWork]:
        """A transaction: committed at the end of the block, rolled back on an exception."""
        ...


@dataclass(frozen=True)
class Worker:
    """Effects outside the database (documents, mail), in a thread of its own.

    `run(desk)` does one bounded portion (claim in one transaction, act, record in another) and
    returns how much it did; 0 lets it rest until the next commit or `rest_s`.
    """

    name: str
    run: Callable[[Desk], int]
    rest_s: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ServiceSpec:
    """A service: its handlers by event, its store, its tables.

    `facts` says which facts an event brings; whoever waits for one is taken up after it.
    `wait_limit` bounds the wait; then `give_up` handles the record, or it becomes a dead letter
    (`reference-missing`). `start` runs once before consuming (a self-check that may refuse).
    `bind` makes the store of a service that needs settings, such as a key.
    """

    name: str
    metadata: MetaData
    store: Callable[[Connection], Store]
    handlers: Mapping[type[Event], Handler]
    facts: Mapping[type[Event], Callable[[Any], Iterable[Fact]]] = field(default_factory=dict)
    give_up: Mapping[type[Event], GiveUp] = field(default_factory=dict)
    wait_limit: timedelta = timedelta(days=3)
    ticks: tuple[Tick, ...] = ()
    workers: tuple[Worker, ...] = ()
    start: Callable[[Desk], None] | None = None
    bind: Callable[[Settings], Callable[[Connection], Store]] | None = None
    grants: Mapping[str, str] = field(default_factory=dict)

    def bound(self, settings: Settings) -> "ServiceSpec":
        """The same service with its store bound to `settings`."""
        return replace(self, store=self.bind(settings)) if self.bind else self


def load_service(name: str) -> ServiceSpec:
    """The service `name` on the map: the one dynamic import. `ConfigurationError` for any other."""
    known = [service.name for service in consumers()]
    if name not in known:
        msg = f"no service {name!r}; the services are {', '.join(known)}"
        raise ConfigurationError(msg)
    spec: ServiceSpec = importlib.import_module(f"services.{name}.main").SERVICE
    return spec
