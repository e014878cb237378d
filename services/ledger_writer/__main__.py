"""`python -m services.ledger_writer`."""

from services.ledger_writer.main import SERVICE
from shared.runtime.process import run_service

run_service(SERVICE)
