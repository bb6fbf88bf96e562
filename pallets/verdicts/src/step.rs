//! Which way the vote on a range went, and what that weighs: the rare and heavy ways must not be
//! charged to the common and light one.

use dgcs_primitives::{MAX_RANGE_SIZE, MAX_REPLICAS};
use frame_support::weights::Weight;

use crate::{Config, Phase, RangeVote, WeightInfo};

/// One step of a vote that a call or `on_idle` carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
	/// Leases ended; so many of them.
	Lapse(u32),
	/// Votes were counted, and all answers were the same.
	TallyUnanimous {
		/// Seats of the range.
		seats: u32,
		/// Subtasks that were open.
		subtasks: u32,
	},
	/// Votes were counted, and answers differed.
	TallySplit {
		/// Seats of the range.
		seats: u32,
	},
	/// The agenda's entry was early: nothing but its place changes.
	Rearm,
}

impl Step {
	/// No step weighs more.
	pub(crate) fn worst_weight<T: Config>() -> Weight {
		let lapse = Step::Lapse(u32::from(MAX_REPLICAS)).weight::<T>();
		Self::worst_tally_weight::<T>().max(lapse)
	}

	/// No tally weighs more.
	pub(crate) fn worst_tally_weight<T: Config>() -> Weight {
		let seats = u32::from(MAX_REPLICAS);
		let unanimous = Step::TallyUnanimous { seats, subtasks: MAX_RANGE_SIZE };
		Step::TallySplit { seats }.weight::<T>().max(unanimous.weight::<T>())
	}

	/// The step that ends the current round of `range`.
	pub(crate) fn tally_of<AccountId>(range: &RangeVote<AccountId>) -> Self {
		let seats = range.seats.len() as u32;
		let mut keys = range.seats.iter().filter_map(|seat| seat.answer());
		let first = keys.next();
		if keys.all(|key| Some(key) == first) {
			Step::TallyUnanimous { seats, subtasks: range.open.count_ones() }
		} else {
			Step::TallySplit { seats }
		}
	}

	/// What is to be done for `range` in block `now`.
	pub(crate) fn due<AccountId>(range: &RangeVote<AccountId>, now: u32) -> Self {
		if range.next_due().is_none_or(|due| due > now) {
			return Step::Rearm;
		}
		match range.phase {
			Phase::Reveal { .. } => Self::tally_of(range),
			Phase::Commit => {
				Step::Lapse(range.seats.iter().filter(|seat| seat.has_lapsed(now)).count() as u32)
			},
		}
	}

	/// What the step weighs.
	pub(crate) fn weight<T: Config>(&self) -> Weight {
		match *self {
			Step::Lapse(seats) => T::WeightInfo::lapse(seats),
			Step::TallyUnanimous { seats, subtasks } => {
				T::WeightInfo::tally_unanimous(seats, subtasks)
			},
			Step::TallySplit { seats } => T::WeightInfo::tally_split(seats),
			Step::Rearm => Weight::zero(), // Part of `agenda_entry`.
		}
	}
}
