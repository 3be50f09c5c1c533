"""The door: accepts clients, relays them to redis-server, and watches what happens there. No user code."""
