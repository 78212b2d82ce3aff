"""``python -m wellseg.curves``: see wellseg/review/command.py."""

from wellseg.review.command import main

if __name__ == "__main__":
    main()
