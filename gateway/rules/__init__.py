"""Readings to what is worth keeping: dead-band, and events with one id from raised to cleared."""
