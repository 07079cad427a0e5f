"""Durable store-and-forward: what is committed here is delivered, or its loss is told."""
