"""A provider's side: `serve(MyProvider)` is all an executable has to do.

serving.py    the life of the process: handshake, listening, ending
calls.py      calls of the contract in threads, with deadline and cancellation
service.py    the four methods as a gRPC service
plugin.py     the services a go-plugin host expects beside it
records.py    log records as lines such a host understands
host_watch.py     notices that the host is gone
"""

from kolumn.rpc.server.serving import serve

__all__ = ["serve"]
