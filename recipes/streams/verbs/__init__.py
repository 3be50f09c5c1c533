"""What somebody on call needs: look, explain, replay, compare, mend."""
