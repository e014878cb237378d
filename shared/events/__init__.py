"""One frozen pydantic model per topic, held field by field against its released Avro schema."""
