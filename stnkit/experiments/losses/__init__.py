"""Auxiliary losses on θ: equivariance, common pose and supervision, each with its weight."""
