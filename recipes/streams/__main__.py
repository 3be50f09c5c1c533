"""`python -m recipes.streams`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="write-behind")
