//! Sockets, TLS with reload, connection limits, shutdown; drives any Machine.
