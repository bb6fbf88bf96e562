//! Ports for nodes under test.

use std::{
	net::TcpListener,
	sync::atomic::{AtomicU32, Ordering},
};

/// A port that nobody has. None of those that the system gives to outgoing connections: one of these might have
/// it before a node does.
pub fn free_port() -> u16 {
	static TRIED: AtomicU32 = AtomicU32::new(0);
	// Tests of several processes run at a time, and each begins elsewhere.
	let first = std::process::id().wrapping_mul(31);
	let mut ports = std::iter::repeat_with(|| {
		let number = first.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
		12_000 + (number % 18_000) as u16
	});
	let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
	ports.find(is_free).expect("there is no end of them")
}
