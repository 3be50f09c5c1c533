"""The systems of record, behind one seam."""
