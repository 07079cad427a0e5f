"""What the operating system and the operator need: clock, service manager, control socket."""
