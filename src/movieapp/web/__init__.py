"""Its pages: who may ask for them, what they show, and what comes back from their forms."""
