"""Events to record values and back: Avro, both wire framings, nothing lost and nothing guessed."""
