"""Networks: velocities to train, and the classifier in whose features images are measured."""
