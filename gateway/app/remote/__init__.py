"""Letters from afar: configurations, logs, support bundles."""
