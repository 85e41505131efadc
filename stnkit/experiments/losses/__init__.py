"""Auxiliary losses on θ: equivariance and supervision."""
