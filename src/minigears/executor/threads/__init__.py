"""Where functions run: the main thread's greenlets, and the pool of threads."""
