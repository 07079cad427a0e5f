"""What is asked of devices: judged, audited, done, answered."""
