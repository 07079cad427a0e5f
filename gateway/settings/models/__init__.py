"""What may stand in site, profile and kind files, as pydantic models."""
