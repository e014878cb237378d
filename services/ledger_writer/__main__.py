"""`python -m services.ledger_writer`."""

from shared.runtime.process import run_service

from services.ledger_writer.main import SERVICE

run_service(SERVICE)
