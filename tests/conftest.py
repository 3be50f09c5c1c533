"""What holds for every test: the run has a folder of its own, and cleans up."""

pytest_plugins = ["tests.sandbox"]
