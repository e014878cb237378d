"""Taking a right away, as only people do."""

from confluent_kafka.admin import AclBindingFilter, AdminClient

from shared import rights
from shared.rights import Right


def withdraw(superuser: AdminClient, right: Right) -> None:
    """Take `right` away; it must have been granted."""
    granted = rights._binding(right)
    same = AclBindingFilter(
        granted.restype,
        granted.name,
        granted.resource_pattern_type,
        granted.principal,
        granted.host,
        granted.operation,
        granted.permission_type,
    )
    for removed in superuser.delete_acls([same]).values():
        assert removed.result()
