"""`stnkit train transform=swirl sampler=hann`."""
