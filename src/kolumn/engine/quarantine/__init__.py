"""What is deleted while `safe_destroy` is on is set aside, with all that brings it back (docs/quarantine.md).

`planning` turns the drops of a plan into moves, `catalogue` notes what went and what went with it, `restoring`
makes the plan of the way back; `place` is what a database has to say to it.
"""
