"""From what should exist to a plan.

`matching` finds what is asked for in the database, `planner` asks the handlers for the operations between the two,
`dependents`, `claims` and `consequences` add what these entail, `graph` orders them, `arrangement` compiles them.
"""
