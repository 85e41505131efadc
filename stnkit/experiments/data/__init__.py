"""The data of a run: batches under a distortion, in an order that follows from the seed."""
