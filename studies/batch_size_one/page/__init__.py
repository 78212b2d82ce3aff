"""The page of the study: `python -m studies.batch_size_one.page --rows runs/atlas/rows --out report.html`."""
