"""Images and their captions, as tensors."""
