"""One consumer on the same records: the runtime, its peers, and the bare limit."""
