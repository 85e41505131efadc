"""The report: one table of any number of runs, compared with published results, and a page with pictures."""
