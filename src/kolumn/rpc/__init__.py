"""Providers as processes of their own: HashiCorp's go-plugin protocol, gRPC with mutual TLS (docs/rpc.md).

    protocol.py       what both sides agree on: cookie, versions, handshake line, limits
    certificates.py   the certificates of a connection, made for it and never written to a file
    status.py         errors of the contract as gRPC statuses and back
    wire/             the .proto files and the code generated from them
    server/           a provider's side: `serve(MyProvider)` is the whole of an executable
    client/           the host's side: starts an executable and is a `Provider` to its caller

Knows the contract alone: neither the engine nor any provider.
"""
