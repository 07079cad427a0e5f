"""Many simulated gateways at once, for measuring and auditing what receives: `linli-sim fleet`."""
