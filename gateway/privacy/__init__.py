"""What may be kept, and what may leave: the inner door and the outer door. Pure."""
