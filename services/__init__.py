"""The services of the pipeline, each a process of its own; none imports another."""
