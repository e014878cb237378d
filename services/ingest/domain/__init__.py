"""The pure part of ingest: parsed job files and JSON values in, events or reasons out."""
