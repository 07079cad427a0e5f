"""Samples to readings and back: scale, unit, enumeration, plausibility, quality."""
