"""Pure rules: reading dialects, merging, names of units."""
