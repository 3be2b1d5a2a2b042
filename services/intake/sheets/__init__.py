"""The portal's screen export: sheets in XLSX and CSV whose rows are dossiers."""
