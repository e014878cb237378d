"""What each event means for deliveries (`events`), and the couriers that make them (`courier`)."""
