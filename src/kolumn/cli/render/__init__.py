"""What results look like: text for people, documents for programs."""
