"""A judge for write-behind: it knows no recipe, records what happens under faults, and says what was lost."""
