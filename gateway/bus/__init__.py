"""One task per line: what is due, who is well, one exchange after the other."""
