"""The stack without Docker: processes of this machine from the wheels of PyPI."""
