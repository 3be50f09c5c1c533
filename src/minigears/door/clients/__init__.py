"""One client's life: what it says, what it may, what it is answered."""
