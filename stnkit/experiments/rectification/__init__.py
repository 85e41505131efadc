"""Rectification: a trained transformer applied to images of any size, at their full resolution."""
