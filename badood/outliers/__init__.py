"""Step 5: one table of outlier images, whatever made them. One kind of source a file; others register by name or entry point."""

from badood.outliers.source import Given, Group, OutlierSource, outlier_source

__all__ = ["Given", "Group", "OutlierSource", "outlier_source"]
