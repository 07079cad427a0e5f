"""Readings into a time-series database, and the last days kept on this machine."""
