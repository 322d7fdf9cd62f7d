"""The Delta Sharing protocol (delta-io/delta-sharing, PROTOCOL.md), with access by signed addresses."""
