"""The host's side: starts a provider's executable and is a `Provider` to its caller.

remote.py       the four methods of the contract over a connection
process.py      the process: started, listened to, ended, whatever it takes
connection.py   the connection: mutual TLS, calls with deadline and cancellation
environment.py  what of the host's environment a provider gets to see
records.py      its lines on standard error as log records
"""

from kolumn.rpc.client.environment import visible
from kolumn.rpc.client.process import Launch, Limits
from kolumn.rpc.client.remote import RemoteProvider

__all__ = ["Launch", "Limits", "RemoteProvider", "visible"]
