"""Grants: the privileges of roles on objects, also as default privileges and changes of owner leave them."""
