"""The platforms of the site: from the outbox through door and dialect to a broker, and back."""
