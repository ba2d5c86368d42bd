"""The engine. Read tensor.py, op.py and backward.py, in this order; then jacobian.py and check.py."""
