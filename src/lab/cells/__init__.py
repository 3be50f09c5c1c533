"""What a notebook's cells do: wait, watch, make load, draw, record, run shell lines."""
