"""`python -m services.notifier`."""

from services.notifier.main import SERVICE
from shared.runtime.process import run_service

run_service(SERVICE)
