"""Commands that the door serves itself, and asking Redis first whether it may."""
