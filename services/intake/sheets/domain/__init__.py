"""Pure rules: which column means what, what a cell says."""
