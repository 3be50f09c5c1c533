"""`python -m minigears.executor`: started by the door."""

from minigears.executor.process import main

main()
