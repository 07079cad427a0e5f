"""The whole main job on one machine: community, gateway, broker and platform."""
