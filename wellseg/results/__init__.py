"""What one scan leaves: mask, overlay, view."""
