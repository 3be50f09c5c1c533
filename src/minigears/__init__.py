"""A RedisGears-1.2-compatible server in front of any Redis."""
