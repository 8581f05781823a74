"""Random pauses in what tests start: whatever rests on one thing being quicker than another fails."""
