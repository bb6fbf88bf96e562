//! What a task owner does: prepare, submit, watch, fetch.
