"""Figures, as ratios and rates measured in one run on one machine; never a timed test."""
