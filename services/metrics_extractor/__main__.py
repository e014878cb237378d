"""Runs the service: `python -m services.metrics_extractor`."""

from services.metrics_extractor.main import SERVICE
from shared.runtime.process import run_service

run_service(SERVICE)
