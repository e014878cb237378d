"""The tools on the map (ingest, simulator, auditor), found by name: `shared` imports no service."""

import importlib
from typing import Any, Final, Literal

Tool = Literal["ingest", "simulator", "auditor"]
TOOLS: Final = ("ingest", "simulator", "auditor")


def tool(name: Tool) -> Any:  # noqa: ANN401 -- each tool's main has names of its own
    """The `main` module of a tool."""
    return importlib.import_module(f"services.{name}.main")
