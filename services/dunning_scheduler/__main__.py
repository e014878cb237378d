"""`python -m services.dunning_scheduler`."""

from services.dunning_scheduler.main import SERVICE
from shared.runtime.process import run_service

run_service(SERVICE)
