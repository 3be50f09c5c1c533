"""The seam of the app: the ways to write a document, and what each of them starts."""
