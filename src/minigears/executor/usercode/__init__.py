"""Where user code runs: what is around it, how it is called, stopped and waited for."""
