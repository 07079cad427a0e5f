"""A small MQTT 5 client of our own, which shows what a library hides: codes, limits, packets."""
