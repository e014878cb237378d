"""Files that stand under their names whole or not at all, also after the power has failed."""

import os
from pathlib import Path
from secrets import token_hex


def put_whole(root: Path, target: Path, content: bytes) -> None:
    """Write `content` to `target`, somewhere below the folder `root`; what stood there goes.

    Whoever else writes the same file has a scratch file of his own. Who may read it is as the
    process's umask says. Raises `OSError`, and then leaves nothing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{token_hex(16)}")
    try:
        with scratch.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    for folder in target.relative_to(root).parents:
        _sync(root / folder)


def _sync(folder: Path) -> None:
    """Have the names in `folder` survive the power's end."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
