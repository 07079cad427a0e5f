"""Field-bus protocols as pure machines: bytes to raw values and back."""
