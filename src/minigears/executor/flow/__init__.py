"""Records on their way through steps, and the runs that keep them."""
