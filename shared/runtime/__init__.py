"""The consumer runtime: the one place that subscribes, commits and publishes."""
