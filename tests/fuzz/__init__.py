"""Damaged model files: the nets they are made from, the damage, and the process that tries them."""
