"""Events to record values and back: Avro, both wire framings, nothing lost and nothing guessed."""

from shared.codec.codec import Codec

__all__ = ["Codec"]
