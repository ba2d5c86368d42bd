"""Session 3: features: what is there to data, and what do networks make of them?"""
