"""Each write on its way to MongoDB, and the threads that look how far it has come."""
