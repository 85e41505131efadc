"""200,000 images from files: made, packed, read and trained on, beside what users would write."""
