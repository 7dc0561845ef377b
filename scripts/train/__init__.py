"""The training of the weights that rfteach ships: python -m scripts.train --help lists the jobs."""
