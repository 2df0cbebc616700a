"""Real database servers for the tests: found or downloaded, started on a free port, stopped with the process.

`python -m tests.servers postgres 18` starts one for you and tells where it is.
"""
