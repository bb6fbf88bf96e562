//! A chain over its RPC, and the keys that sign for it.
