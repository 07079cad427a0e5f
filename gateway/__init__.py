"""Linli Gateway: field devices of a community, normalised, kept safe and published over MQTT."""
