//! What may run now: pure, so that time and load can be whatever a test says.

use std::{cmp::Ordering, fmt, time::Duration};

use serde::Serialize;

use super::config::Terms;

/// What was seen of the machine at some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
	/// The share of all processor time that others took since the last one, in percent.
	pub others: f64,
	/// Memory that is free or can be freed, in MiB.
	pub available_mib: u64,
	/// Memory that this process has, in MiB.
	pub own_mib: u64,
	/// The day of the week: 0 is Monday.
	pub day: u8,
	/// The minute of the day, in local time.
	pub minute: u16,
	/// Whether the machine runs on battery.
	pub on_battery: bool,
}

/// Why no more may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Reason {
	/// All that is lent is.
	Idle,
	/// Somebody else uses the machine.
	InUse,
	/// Too little memory would be left to others.
	LowMemory,
	/// The machine runs on battery.
	OnBattery,
	/// It is not the day or the hour.
	OffHours,
}

impl fmt::Display for Reason {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Reason::Idle => "the machine is idle",
			Reason::InUse => "somebody else uses the machine (use.busy_above, busy.cores)",
			Reason::LowMemory => "too little memory is free (use.keep_free_mib)",
			Reason::OnBattery => "the machine runs on battery (when.on_battery)",
			Reason::OffHours => "it is not the time (when.days, when.hours)",
		})
	}
}

/// How much may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Allowance {
	/// Runs at the same time.
	pub slots: u16,
	/// Why no more.
	pub reason: Reason,
}

/// Says how much may run, with hysteresis: the machine changes from idle to busy and back only
/// when its load has been beyond the bound of the other state for a while, and the slots for which it has
/// memory change only when there was more or less of it for as long.
#[derive(Clone, Debug)]
pub struct Policy {
	terms: Terms,
	busy: Slow<bool>,
	/// The slots for which there is memory.
	fit: Slow<u16>,
}

/// What changes only when there was reason to for a while.
#[derive(Clone, Debug)]
struct Slow<T> {
	/// `None` before the first observation.
	now: Option<T>,
	/// Whether it is to rise or to fall, and since when.
	since: Option<(Ordering, Duration)>,
}

impl<T> Default for Slow<T> {
	fn default() -> Self {
		Slow { now: None, since: None }
	}
}

impl<T: Copy + Ord> Slow<T> {
	/// What it is at time `at`, when there is reason for `wanted`. It takes `rise` or `fall` to change.
	fn step(&mut self, at: Duration, wanted: T, rise: Duration, fall: Duration) -> T {
		let now = *self.now.get_or_insert(wanted);
		let way = wanted.cmp(&now);
		let patience = match way {
			Ordering::Equal => {
				self.since = None;
				return now;
			},
			Ordering::Greater => rise,
			Ordering::Less => fall,
		};
		let since = match self.since {
			Some((before, since)) if before == way => since,
			_ => at,
		};
		self.since = Some((way, since));
		if at.saturating_sub(since) < patience {
			return now;
		}
		*self = Slow { now: Some(wanted), since: None };
		wanted
	}
}

impl Policy {
	/// A policy by these terms.
	pub fn new(terms: Terms) -> Self {
		Policy { terms, busy: Slow::default(), fit: Slow::default() }
	}

	/// What may run, given what was seen at time `at`, which never goes back. The first observation
	/// counts at once.
	pub fn step(&mut self, at: Duration, seen: &Observation) -> Allowance {
		let busy = self.is_busy(at, seen.others);
		let fit = self.fit(at, seen);
		let terms = &self.terms;
		let none = |reason| Allowance { slots: 0, reason };
		if !self.is_time(seen) {
			return none(Reason::OffHours);
		}
		if seen.on_battery && !terms.on_battery {
			return none(Reason::OnBattery);
		}
		let less = busy && terms.busy_slots < terms.idle_slots;
		let (slots, reason) =
			if less { (terms.busy_slots, Reason::InUse) } else { (terms.idle_slots, Reason::Idle) };
		if fit < slots {
			return Allowance { slots: fit, reason: Reason::LowMemory };
		}
		Allowance { slots, reason }
	}

	fn is_busy(&mut self, at: Duration, others: f64) -> bool {
		let limits = self.terms.in_use;
		let above = others > f64::from(limits.busy_above);
		let below = others < f64::from(limits.idle_below);
		let wanted = if self.busy.now == Some(true) { !below } else { above };
		self.busy.step(at, wanted, limits.busy_after(), limits.idle_after())
	}

	/// The slots for which there is memory, up to those that may ever be lent.
	fn fit(&mut self, at: Duration, seen: &Observation) -> u16 {
		let Terms { in_use, slot_memory_mib, idle_slots, .. } = self.terms;
		// What this process has would be free if it ended: so that a run which takes memory is not a
		// reason against itself.
		let free = seen.available_mib.saturating_add(seen.own_mib);
		let rest = free.saturating_sub(in_use.keep_free_mib);
		let fit = u16::try_from(rest / u64::from(slot_memory_mib.max(1))).unwrap_or(u16::MAX);
		// That it is too little takes as long to count as that others use the machine, and that it is
		// enough again as long as that they don't.
		self.fit.step(at, fit.min(idle_slots), in_use.idle_after(), in_use.busy_after())
	}

	/// Whether anything may run at this day and hour. After midnight, hours that began the day before
	/// count for the day before.
	fn is_time(&self, seen: &Observation) -> bool {
		let day = |back: u8| self.terms.days >> ((seen.day + 7 - back) % 7) & 1 == 1;
		self.terms.hours.iter().any(|(from, until)| {
			let minute = seen.minute;
			if from < until {
				day(0) && (*from..*until).contains(&minute)
			} else {
				day(0) && minute >= *from || day(1) && minute < *until
			}
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::lend::{Config, Machine};
	use proptest::prelude::*;

	fn terms(text: &str) -> Terms {
		let machine = Machine { cores: 4, memory_mib: 8192 };
		let config: Config = text.parse().expect(text);
		config.terms(&machine).expect(text)
	}

	fn seen(others: f64) -> Observation {
		Observation {
			others,
			available_mib: 8192,
			own_mib: 100,
			day: 0,
			minute: 720,
			on_battery: false,
		}
	}

	const BOTH: &str = "slot_memory_mib = 1024\n\
		idle = { cores = 4, memory = 8192 }\n\
		busy = { cores = 1, memory = 8192 }\n";

	/// Seconds, load of others, and the slots and reason that follow.
	type Step = (u64, f64, u16, Reason);

	fn check(text: &str, steps: &[Step]) {
		let mut policy = Policy::new(terms(text));
		for (second, others, slots, reason) in steps {
			let allowance = policy.step(Duration::from_secs(*second), &seen(*others));
			let expected = Allowance { slots: *slots, reason: *reason };
			assert_eq!(allowance, expected, "at {second} s with {others} %");
		}
	}

	#[test]
	fn busy_and_idle_have_their_own_limits_and_hysteresis() {
		use Reason::{Idle, InUse};
		check(
			BOTH,
			&[
				(0, 3.0, 4, Idle),
				// A short peak is none.
				(5, 90.0, 4, Idle),
				(10, 20.0, 4, Idle),
				(15, 90.0, 4, Idle),
				(24, 90.0, 4, Idle),
				(25, 90.0, 1, InUse),
				// Between the two bounds nothing changes.
				(30, 20.0, 1, InUse),
				(40, 10.0, 1, InUse),
				(219, 10.0, 1, InUse),
				(220, 16.0, 1, InUse),
				(230, 10.0, 1, InUse),
				(409, 14.9, 1, InUse),
				(410, 14.9, 4, Idle),
			],
		);
	}

	#[test]
	fn a_dedicated_machine_is_never_in_use() {
		let machine = Machine { cores: 4, memory_mib: 8192 };
		let config = BOTH.parse::<Config>().expect("good").dedicated();
		let mut policy = Policy::new(config.terms(&machine).expect("good"));
		let allowance = policy.step(Duration::ZERO, &seen(100.0));
		assert_eq!(allowance, Allowance { slots: 4, reason: Reason::Idle });
	}

	#[test]
	fn the_first_observation_counts_at_once() {
		check(BOTH, &[(7, 80.0, 1, Reason::InUse)]);
		check(BOTH, &[(7, 24.0, 4, Reason::Idle)]);
	}

	#[test]
	fn a_gap_in_the_observations_counts_as_what_follows_it() {
		// A machine that slept for an hour: the load before is no reason.
		check(BOTH, &[(0, 3.0, 4, Reason::Idle), (3600, 90.0, 4, Reason::Idle)]);
	}

	#[test]
	fn slots_for_which_there_is_memory_have_the_same_hysteresis() {
		use Reason::{Idle, LowMemory};
		// For as many slots as there are, with what is to be left free and what this process has.
		let memory = |slots: u64| 1024 * slots + 512 - 100;
		// Seconds, slots for which there is memory, and the slots and reason that follow.
		let steps = [
			(0, 4, 4, Idle),
			// A short want is none, however great.
			(5, 0, 4, Idle),
			(14, 0, 4, Idle),
			(15, 4, 4, Idle),
			(20, 3, 4, Idle),
			// However much less it is, it was less all the time.
			(25, 1, 4, Idle),
			(30, 2, 2, LowMemory),
			(32, 1, 2, LowMemory),
			(41, 1, 2, LowMemory),
			(42, 1, 1, LowMemory),
			// Enough for a while is not enough for good.
			(44, 4, 1, LowMemory),
			(223, 4, 1, LowMemory),
			(223, 0, 1, LowMemory),
			(224, 4, 1, LowMemory),
			(403, 3, 1, LowMemory),
			(404, 3, 3, LowMemory),
			(405, 9, 3, LowMemory),
			(584, 9, 3, LowMemory),
			(585, 9, 4, Idle),
			// More than all slots need is no more than enough.
			(600, 4, 4, Idle),
			(700, 9, 4, Idle),
		];
		let mut policy = Policy::new(terms(BOTH));
		for (second, fit, slots, reason) in steps {
			let seen = Observation { available_mib: memory(fit), ..seen(0.0) };
			let allowance = policy.step(Duration::from_secs(second), &seen);
			assert_eq!(allowance, Allowance { slots, reason }, "at {second} s, for {fit}");
		}
		let mut policy = Policy::new(terms(BOTH));
		let little = Observation { available_mib: memory(1), ..seen(0.0) };
		let first = policy.step(Duration::ZERO, &little);
		assert_eq!(first, Allowance { slots: 1, reason: LowMemory }, "the first counts at once");
	}

	#[test]
	fn memory_battery_days_and_hours_bind() {
		let text = format!("{BOTH}[when]\ndays = [\"mon\", \"fri\"]\nhours = [\"22:00-06:00\"]\n");
		let night = Observation { minute: 23 * 60, ..seen(0.0) };
		type Change = fn(&mut Observation);
		let cases: &[(Change, u16, Reason)] = &[
			(|_| {}, 4, Reason::Idle),
			(|seen| seen.available_mib = 4096, 3, Reason::LowMemory),
			(|seen| seen.available_mib = 0, 0, Reason::LowMemory),
			(|seen| (seen.available_mib, seen.own_mib) = (0, 4608), 4, Reason::Idle),
			(|seen| seen.on_battery = true, 0, Reason::OnBattery),
			(|seen| seen.minute = 21 * 60 + 59, 0, Reason::OffHours),
			(|seen| seen.minute = 22 * 60, 4, Reason::Idle),
			(|seen| seen.day = 1, 0, Reason::OffHours),
			// Monday's night goes on until Tuesday morning; Sunday's, which is none, doesn't.
			(|seen| (seen.day, seen.minute) = (1, 5 * 60 + 59), 4, Reason::Idle),
			(|seen| (seen.day, seen.minute) = (1, 6 * 60), 0, Reason::OffHours),
			(|seen| (seen.day, seen.minute) = (0, 5 * 60), 0, Reason::OffHours),
			(|seen| (seen.day, seen.minute) = (5, 5 * 60), 4, Reason::Idle),
		];
		for (number, (change, slots, reason)) in cases.iter().enumerate() {
			let mut seen = night;
			change(&mut seen);
			let allowance = Policy::new(terms(&text)).step(Duration::ZERO, &seen);
			assert_eq!(allowance, Allowance { slots: *slots, reason: *reason }, "case {number}");
		}
		let on_battery = Observation { on_battery: true, ..seen(0.0) };
		let text = format!("{BOTH}[when]\non_battery = true");
		assert_eq!(Policy::new(terms(&text)).step(Duration::ZERO, &on_battery).slots, 4);
	}

	proptest! {
		#![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

		/// Whatever is seen, no more runs than is lent, nor for longer than the patience than there is
		/// memory for; and a change between busy and idle is never sooner after the one before than the
		/// shorter of the two patiences.
		#[test]
		fn never_more_than_is_lent_and_never_restless(
			loads in prop::collection::vec((0.0f64..100.0, 1u64..30, 0u64..10_000), 1..200),
		) {
			let mut policy = Policy::new(terms(BOTH));
			let mut at = 0;
			let mut last: Option<(bool, u64)> = None;
			let mut short: Option<u64> = None;
			for (others, step, available_mib) in loads {
				at += step;
				let seen = Observation { available_mib, ..seen(others) };
				let allowance = policy.step(Duration::from_secs(at), &seen);
				prop_assert!(allowance.slots <= 4);
				let memory = u64::from(allowance.slots) * 1024;
				if memory <= (available_mib + 100).saturating_sub(512) {
					short = None;
				} else {
					let since = *short.get_or_insert(at);
					prop_assert!(at - since < 10, "too little memory for {} s", at - since);
				}
				let busy = policy.busy.now.expect("there was an observation");
				match last {
					Some((before, since)) if before != busy => {
						prop_assert!(at - since >= 10, "changed after {} s", at - since);
						last = Some((busy, at));
					},
					None => last = Some((busy, at)),
					_ => {},
				}
			}
		}
	}
}
