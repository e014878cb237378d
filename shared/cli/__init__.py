"""The command line: `colophon`.

Exit code 0 when all is well, 1 when something in the input or the books is wrong, 2 for wrong use.
"""

import sys

from shared.cli.app import app
from shared.errors import ColophonError, ConfigurationError
from shared.local.errors import LocalStackError
from shared.terminal import printable


def main() -> None:
    """Run the command line; what goes wrong is one clear sentence, never a traceback."""
    try:
        app()
    except (ConfigurationError, LocalStackError) as error:
        sys.exit(_say(error, 2))
    except ColophonError as error:
        sys.exit(_say(error, 1))


def _say(error: Exception, code: int) -> int:
    lines = map(printable, f"colophon: {error}".split("\n"))
    sys.stderr.write("\n".join(lines) + "\n")
    return code
