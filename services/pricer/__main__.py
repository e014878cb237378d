"""Runs the service: `python -m services.pricer`."""

from services.pricer.main import SERVICE
from shared.runtime.process import run_service

run_service(SERVICE)
