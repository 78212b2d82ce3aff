"""The page of the study: `python -m studies.batch_size_one.page`, see README.md."""
