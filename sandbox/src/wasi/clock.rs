//! Clocks that follow from what the program does, and waiting that takes no time.
//!
//! A unit of fuel is a nanosecond. A program that measures itself, or works until some time has
//! passed, so behaves much as it does elsewhere, and the same on every machine.

use super::{
	abi::{Errno, ABSOLUTE_TIME, EVENT_CLOCK, EVENT_READ, EVENT_WRITE, LAST_CLOCK, REALTIME},
	guest::{entry, Fault, Guest},
};

/// When every program starts by its own clock: 2026-01-01 00:00:00 UTC, in nanoseconds of Unix time.
const START_OF_TIME: u64 = 1_767_225_600_000_000_000;

/// Bytes of a `subscription` and of an `event`.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// Puts a clock's resolution at `to`.
pub(super) fn resolution(guest: &mut Guest<'_>, clock: u32, to: u32) -> Result<(), Fault> {
	now(guest, clock)?;
	guest.write(to, &1u64.to_le_bytes())
}

/// Puts a clock's time at `to`.
pub(super) fn time(guest: &mut Guest<'_>, clock: u32, to: u32) -> Result<(), Fault> {
	let now = now(guest, clock)?;
	guest.write(to, &now.to_le_bytes())
}

/// Nanoseconds that a clock shows.
fn now(guest: &mut Guest<'_>, clock: u32) -> Result<u64, Fault> {
	if clock > LAST_CLOCK {
		return Err(Errno::Inval.into());
	}
	let passed = guest.fuel_used().saturating_add(guest.process().slept);
	let start = if clock == REALTIME { START_OF_TIME } else { 0 };
	Ok(start.saturating_add(passed))
}

/// One thing that a program waits for.
struct Subscription {
	userdata: [u8; 8],
	kind: u8,
	/// Nanoseconds until it is due: none for a stream, which always is.
	wait: u64,
	error: Errno,
}

/// Waits for the first of some events. Streams are always ready; time is made to pass.
pub(super) fn poll(
	guest: &mut Guest<'_>,
	subscriptions: u32,
	events: u32,
	count: u32,
	to: u32,
) -> Result<(), Fault> {
	if count == 0 {
		return Err(Errno::Inval.into());
	}
	guest.charge_items(count)?;
	let mut wait = u64::MAX;
	for index in 0..count {
		wait = wait.min(subscription(guest, subscriptions, index)?.wait);
	}
	let mut happened = 0;
	for index in 0..count {
		let subscription = subscription(guest, subscriptions, index)?;
		if subscription.wait > wait {
			continue;
		}
		let mut event = [0; EVENT as usize];
		event[..8].copy_from_slice(&subscription.userdata);
		event[8..10].copy_from_slice(&(subscription.error as u16).to_le_bytes());
		event[10] = subscription.kind;
		guest.write(entry(events, happened, EVENT)?, &event)?;
		happened += 1;
	}
	let process = guest.process();
	process.slept = process.slept.saturating_add(wait);
	guest.write_u32(to, happened)
}

/// Reads one subscription. One that makes no sense is due at once, with its error.
fn subscription(guest: &mut Guest<'_>, list: u32, index: u32) -> Result<Subscription, Fault> {
	let bytes: [u8; SUBSCRIPTION as usize] = guest.read(entry(list, index, SUBSCRIPTION)?)?;
	let number =
		|at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
	let long = |at: usize| u64::from(number(at)) | u64::from(number(at + 4)) << 32;
	let mut userdata = [0; 8];
	userdata.copy_from_slice(&bytes[..8]);
	let kind = bytes[8];
	let (wait, error) = match kind {
		EVENT_CLOCK => {
			let (clock, timeout, flags) = (number(16), long(24), number(40) as u16);
			match now(guest, clock) {
				Ok(now) if flags & ABSOLUTE_TIME != 0 => {
					(timeout.saturating_sub(now), Errno::Success)
				},
				Ok(_) => (timeout, Errno::Success),
				Err(Fault::Errno(errno)) => (0, errno),
				Err(halt) => return Err(halt),
			}
		},
		EVENT_READ | EVENT_WRITE => match guest.process().stream(number(16)) {
			Ok(_) => (0, Errno::Success),
			Err(errno) => (0, errno),
		},
		_ => return Err(Errno::Inval.into()),
	};
	Ok(Subscription { userdata, kind, wait, error })
}
