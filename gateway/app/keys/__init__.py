"""Keys of the gateway: of its store, of pseudonyms, of devices."""
