"""The time of day: watched, and corrected in records that were made without it."""
