"""Devices, lines, a community and a platform side, for work without hardware."""
