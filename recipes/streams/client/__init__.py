"""What applications write with: each write is captured in the step that makes it."""
