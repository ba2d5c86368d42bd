"""Session 1: supervised learning with multilayer perceptrons."""
