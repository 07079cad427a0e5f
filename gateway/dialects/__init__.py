"""One pure machine per platform, named by its file: neutral records to messages, and back."""
