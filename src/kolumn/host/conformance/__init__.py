"""Whether a provider keeps what the specification asks of it (spec 15), seen from outside.

checklist.py    the lines of section 15
examination.py  asks a provider and finds out, line by line
"""
