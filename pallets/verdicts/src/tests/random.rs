//! Whatever anybody does in whatever order, what must always hold does.

use std::collections::BTreeMap;

use dgcs_primitives::{
	doubles::{TestBook, TestEscrow},
	Ballot, Head, Judge, Outcome, RangeIndex, RangeTerms,
};
use frame_support::{traits::Hooks, weights::Weight};
use proptest::prelude::*;

use crate::{mock::*, Answers, Blocks, Closing, Heads, RangeVote, Ranges, Seat, SeatState};

const RANGES: u32 = 3;
const LEN: u8 = 3;

#[derive(Clone, Debug)]
enum Act {
	Seat {
		range: u32,
		worker: u64,
		lease: u32,
	},
	/// The `pick`th worker that has a lease on the range.
	Commit {
		range: u32,
		pick: usize,
		lie: u8,
	},
	Reveal {
		range: u32,
		worker: u64,
		honest: bool,
	},
	RevealAll {
		range: u32,
	},
	Expire {
		range: u32,
	},
	Advance {
		blocks: u32,
		room: bool,
	},
	Withdraw,
	Close,
}

fn act() -> impl Strategy<Value = Act> {
	let range = 0..RANGES;
	let worker = 1u64..10;
	prop_oneof![
		10 => (range.clone(), worker.clone(), 1u32..20)
			.prop_map(|(range, worker, lease)| Act::Seat { range, worker, lease }),
		8 => (range.clone(), 0usize..15, prop_oneof![2 => Just(0), 1 => 1u8..9])
			.prop_map(|(range, pick, lie)| Act::Commit { range, pick, lie }),
		4 => (range.clone(), worker, prop::bool::weighted(0.9))
			.prop_map(|(range, worker, honest)| Act::Reveal { range, worker, honest }),
		4 => range.clone().prop_map(|range| Act::RevealAll { range }),
		1 => range.prop_map(|range| Act::Expire { range }),
		2 => (1u32..4, any::<bool>()).prop_map(|(blocks, room)| Act::Advance { blocks, room }),
		1 => prop::bool::weighted(0.02).prop_map(|end| match end {
			true => Act::Close,
			false => Act::Withdraw,
		}),
	]
}

/// What the task book and the workers know.
#[derive(Default)]
struct World {
	/// Seats to give, for each range.
	to_give: BTreeMap<u32, u32>,
	/// How many `reopen` calls were seen.
	reopened: usize,
	/// What each worker committed to.
	found: BTreeMap<(u32, u64), Vec<u8>>,
	/// Subtasks of ranges that were never leased and may be withdrawn.
	spare: u32,
}

fn found(open: u64, lie: u8) -> Vec<u8> {
	// Lies differ, and touch one subtask each.
	(0..LEN)
		.filter(|subtask| open & (1 << subtask) != 0)
		.map(|subtask| if lie > 0 && (lie - 1) % LEN == subtask { 50 + lie } else { subtask })
		.collect()
}

fn vote_of(range: u32, worker: u64, found: &[u8]) -> Option<dgcs_primitives::Commitment> {
	let index = RangeIndex(range);
	let round = Ranges::<Test>::get(TASK, index)?.round;
	let ballot = Ballot { range: index, round, ..ballot(0) };
	Some(ballot.commitment(&worker, &digests(found), &SALT))
}

impl World {
	fn new() -> Self {
		let to_give = (0..RANGES).map(|range| (range, 3)).collect();
		Self { to_give, spare: 4, ..Default::default() }
	}

	fn reveal(&self, range: u32, worker: u64, honest: bool) {
		let Some(mut found) = self.found.get(&(range, worker)).cloned() else { return };
		if !honest {
			found.iter_mut().for_each(|byte| *byte = 99);
		}
		let (origin, index) = (RuntimeOrigin::signed(worker), RangeIndex(range));
		let result = Verdicts::reveal(origin, TASK, index, digests(&found), SALT);
		assert!(honest || result.is_err());
	}

	fn act(&mut self, act: Act) {
		let now = System::block_number();
		match act {
			Act::Seat { range, worker, lease } => {
				let left = self.to_give.entry(range).or_default();
				let terms = RangeTerms { len: LEN, replicas: 3, max_replicas: 5 };
				if *left > 0
					&& room(worker) > 0
					&& seat_with(terms, RangeIndex(range), worker, now + lease).is_ok()
				{
					*left -= 1;
				}
			},
			Act::Commit { range, pick, lie } => {
				let index = RangeIndex(range);
				let Some(live) = Ranges::<Test>::get(TASK, index) else { return };
				let leased = |seat: &&Seat<u64>| matches!(seat.state, SeatState::Leased { .. });
				let count = live.seats.iter().filter(leased).count().max(1);
				let Some(seat) = live.seats.iter().filter(leased).nth(pick % count) else { return };
				let (worker, found) = (seat.worker, found(live.open, lie));
				let commitment = vote_of(range, worker, &found).unwrap();
				let origin = RuntimeOrigin::signed(worker);
				if Verdicts::commit(origin, TASK, index, commitment).is_ok() {
					self.found.insert((range, worker), found);
				}
			},
			Act::Reveal { range, worker, honest } => self.reveal(range, worker, honest),
			Act::RevealAll { range } => (1..10).for_each(|who| self.reveal(range, who, true)),
			Act::Expire { range } => {
				let _ = Verdicts::expire(RuntimeOrigin::signed(50), TASK, RangeIndex(range));
			},
			Act::Advance { blocks, room } => {
				for _ in 0..blocks {
					let limit = if room { Weight::MAX } else { Weight::from_parts(9_000_000, 9) };
					Verdicts::on_idle(System::block_number(), limit);
					System::set_block_number(System::block_number() + 1);
				}
			},
			Act::Withdraw => {
				if self.spare > 0 {
					self.spare -= 1;
					Verdicts::withdraw(TASK, 1);
				}
			},
			Act::Close => {
				Verdicts::close(TASK);
			},
		}
		// The task book opens one seat for every call.
		let reopened = TestBook::book().reopened;
		for (_, range) in &reopened[self.reopened..] {
			*self.to_give.entry(range.0).or_default() += 1;
		}
		self.reopened = reopened.len();
	}
}

/// How many ranges hold a slot of the worker.
fn leases(worker: u64) -> u16 {
	let holds = |range: &RangeVote<u64>| {
		range
			.seats
			.iter()
			.any(|seat| seat.worker == worker && matches!(seat.state, SeatState::Leased { .. }))
	};
	Ranges::<Test>::iter_values().filter(holds).count() as u16
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(192))]

	#[test]
	fn what_must_hold_holds(acts in prop::collection::vec(act(), 1..400)) {
		ExtBuilder::default().subtasks(RANGES * u32::from(LEN) + 4).build_and_execute(|| {
			let mut world = World::new();
			for act in acts {
				world.act(act);
				Verdicts::do_try_state().unwrap();
			}
			// Every slot is either taken by a lease or free.
			for worker in 1..10 {
				assert_eq!(room(worker) + leases(worker), SLOTS);
			}
			// Everybody who agreed is paid, nobody else.
			let Head { agreed, failed, open_subtasks, .. } = match Heads::<Test>::get(TASK) {
				Some(head) => head,
				None => return,
			};
			assert_eq!(agreed + failed + open_subtasks + (4 - world.spare),
				RANGES * u32::from(LEN) + 4);
			let paid = TestEscrow::ledger(TASK).unwrap().paid;
			assert!(paid <= u128::from(agreed) * 5 * REWARD);
			assert!(paid >= u128::from(agreed) * 2 * REWARD);
			let finished = TestBook::book().finished.len();
			assert_eq!(finished, usize::from(open_subtasks == 0));
			// No block decides anything but a digest that somebody may have revealed.
			for block in Blocks::<Test>::iter_values() {
				for verdict in &block.verdicts {
					if let Outcome::Agreed(digest) = verdict.outcome {
						let byte = digest.0.as_bytes()[0];
						assert!(byte == verdict.subtask || (51..59).contains(&byte));
					}
				}
			}
			// The end leaves nothing.
			Verdicts::close(TASK);
			System::set_block_number(System::block_number() + 1);
			idle();
			assert_eq!(Ranges::<Test>::iter().count(), 0);
			assert_eq!(Answers::<Test>::iter().count() + Blocks::<Test>::iter().count(), 0);
			assert_eq!(Closing::<Test>::iter().count(), 0);
			for worker in 1..10 {
				assert_eq!(room(worker), SLOTS);
			}
		});
	}
}
