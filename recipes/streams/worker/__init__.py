"""What takes entries from the streams and writes them into the database, in batches."""
