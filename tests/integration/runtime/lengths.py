"""How long the long tests of this folder take: in full with COLOPHON_TEST_LENGTH=full."""

import os
from typing import Final

IS_FULL: Final = os.environ.get("COLOPHON_TEST_LENGTH") == "full"
PAIRS: Final = 10_000 if IS_FULL else 1_000
"""So many facts meet those who wait for them."""
AWAY_S: Final = {"database": 60.0, "broker": 600.0} if IS_FULL else {"database": 6.0, "broker": 6.0}
"""So long is a server away; the short ones are longer than the group's session, all the same."""
