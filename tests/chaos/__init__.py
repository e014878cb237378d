"""The whole pipeline under random faults, and an oracle that says what must come of it."""
