"""Export of networks and transformers into files that run without stnkit. Importing it imports no torch."""
