"""The executor process: everything that runs user code."""
