"""What a command is and needs, found out without asking."""
