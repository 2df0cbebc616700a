"""What all providers share: dispatch, planning, ordering, applying, state."""
