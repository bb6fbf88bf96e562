//! Computes strangers' subtasks for pay.
