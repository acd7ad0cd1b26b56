"""Time series: tables of them, splits in time, scalers, windows, measures by horizon, and what simple methods reach."""
