"""The movies and what the three places hold of them; predictions, quizzes, progress, ways back."""
