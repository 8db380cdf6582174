"""Measurements of this product on the machine at hand: ``python -m bench``."""
