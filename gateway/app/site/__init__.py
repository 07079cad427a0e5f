"""The site at work: vetted by the whole house, compared after a change, kept when it was good."""
