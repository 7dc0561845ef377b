"""The checkers, a room for each chapter."""
