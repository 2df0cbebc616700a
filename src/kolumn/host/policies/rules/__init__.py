"""The built-in policies, by what they are about; importing this fills the registry."""

from kolumn.host.policies.rules import access, availability, compatibility, conventions, data_loss, design

__all__ = ["access", "availability", "compatibility", "conventions", "data_loss", "design"]
