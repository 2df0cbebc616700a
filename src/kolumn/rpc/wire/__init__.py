"""The messages and services on the wire: generated from the .proto files here by `make wire`."""
