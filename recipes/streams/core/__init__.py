"""What clients and workers agree on: names, documents, errors, and the function library in Redis."""
