"""Session 4: generative models: where do data come from, and how far is one distribution from another?"""
