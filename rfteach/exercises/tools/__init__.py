"""What the checkers of several chapters share: running an answer, judging a result, known flows."""
