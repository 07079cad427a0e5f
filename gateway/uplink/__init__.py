"""MQTT sessions: connect, TLS, window, acknowledgement with its reason, subscriptions."""
