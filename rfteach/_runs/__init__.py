"""Long runs: what a training needs to be saved, resumed, shared between processes and paid for."""
