"""Session 4: generative models: machines that make new examples, and how to tell how good they are."""
