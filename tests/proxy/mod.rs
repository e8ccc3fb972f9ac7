//! Requests over the wire: forwarding, refusing, faults, end codes.
