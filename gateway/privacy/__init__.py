"""What may be kept, and what may leave. Here so far: pseudonyms for secrets of devices."""
