"""`python -m services.invoicer`."""

from services.invoicer.main import SERVICE
from shared.runtime.process import run_service

run_service(SERVICE)
