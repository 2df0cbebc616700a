"""Speed and memory of Kolumn as ratios against what any tool must do and against a peer; see README.md."""
