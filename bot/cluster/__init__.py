"""Several processes as one bot: leases, and who has which of Discord's shards."""
