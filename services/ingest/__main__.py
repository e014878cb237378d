"""`python -m services.ingest`: the command on its own."""

import typer

from services.ingest.main import ingest

if __name__ == "__main__":
    typer.run(ingest)
