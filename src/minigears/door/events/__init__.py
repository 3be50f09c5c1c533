"""Events on their way: from Redis's notifications to the executor, and the journal of those not done."""
