"""What is drawn into copies of labelled pages, to train on: see ../copies.py."""
