"""Never behind what was published: after a wrong restore, numbers would be given a second time."""

from services.invoicer.domain.numbering import unknown_numbers
from services.invoicer.gateway import read_published
from shared.errors import ConfigurationError
from shared.runtime.service import Desk


def check_numbers(desk: Desk) -> None:
    """Refuse to work with a table that does not know the last published number of each series.

    Reads what was published since the last check, and keeps how far it came. What is published
    has been committed before, so a table read afterwards knows it.
    """
    with desk.begin() as unit:
        read_up_to = unit.store.read_up_to()
    published = read_published(desk.settings, read_up_to)
    with desk.begin() as unit:
        behind = unknown_numbers(published.last, unit.store.last_numbers())
        if behind:
            raise ConfigurationError(
                "the database is older than what it has published (restored from an old backup?),"
                f" and would give numbers twice: {'; '.join(behind)}. Restore it to its last commit"
                " (point in time, or the synchronous replica) and start again. Do not just raise"
                " number_series: the jobs of the missing invoices would be billed a second time"
            )
        unit.store.have_read(published.ends)


def keep_checked(desk: Desk) -> int:
    """Check what was published meanwhile, so that the next start has little to read."""
    check_numbers(desk)
    return 0
