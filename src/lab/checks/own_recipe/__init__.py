"""What the checks of notebook 14 try a recipe's pieces with, before the suite of the twelve does.

A case names the misconception; the suite would only say what was lost. Each piece is judged alone: the
others are those of the solutions, so a fault is told where it is.
"""
