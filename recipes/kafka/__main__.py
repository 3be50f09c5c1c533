"""`python -m recipes.kafka`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="write-behind-kafka")
