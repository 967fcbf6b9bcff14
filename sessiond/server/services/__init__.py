"""The handlers: one class per service of the API, one short method per RPC; they know nothing of gRPC."""
