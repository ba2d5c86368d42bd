"""Side by side with what a user would pick instead: `python -m benchmarks`. Not packaged; the peers are optional."""
