"""A small experiment: does it matter which images a network for masks is trained on?

``python -m pruning_experiment`` in the folder ``examples``; README.md beside this file says the rest.
"""
