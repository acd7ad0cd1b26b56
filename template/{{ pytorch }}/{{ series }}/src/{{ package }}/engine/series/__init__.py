"""Time series: tables of a person's own, read onto a regular grid, and what is made and measured of series."""
