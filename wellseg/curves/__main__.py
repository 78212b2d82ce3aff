"""``python -m wellseg.curves``: see wellseg/review/command.py."""

from wellseg.review.command import main

main()
