"""`python -m minigears`."""

from minigears.cli import main

if __name__ == "__main__":
    main(prog_name="minigears")
