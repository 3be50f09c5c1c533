"""Programs that a learner uses besides: redis-cli, gears-cli, windows onto the stores, the app."""
