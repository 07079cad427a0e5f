"""What all ways out of the outbox share: what they are given, what passes, what is against it."""
