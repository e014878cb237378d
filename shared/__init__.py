"""What every service shares: the map, the events, the codec and the consumer runtime."""
