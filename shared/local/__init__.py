"""The local stack: Apache Kafka and PostgreSQL in a data directory, nothing else installed."""
