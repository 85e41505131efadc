"""The report: any number of run directories as one table, beside the paper's, and as a page with pictures."""
