"""What the course is about: the movies, and what the three places hold of them."""
