"""Whether a broker, or a platform behind it, does what it must: `linli-sim conform`."""
