//! Random lives of a chain: whatever happens in whatever order, the invariants hold, every task
//! ends, and none starves.

use std::collections::BTreeSet;

use dgcs_primitives::{
	doubles::{TestEscrow, TestJudge, TestWorkers},
	RangeIndex, Refusal, Selection, SubtaskLimits, TaskBook, TaskId, TaskSpec, Visibility, Workers,
};
use proptest::prelude::*;

use crate::{mock::*, NextTaskId, Tasks as TasksMap};

#[derive(Clone, Debug)]
enum Step {
	Submit {
		reward: Balance,
		subtasks: u32,
		range_size: u32,
		proven: bool,
		public: bool,
		memory_mib: u32,
	},
	Fund {
		who: Account,
		task: u64,
		amount: Balance,
	},
	Cancel {
		who: Account,
		task: u64,
	},
	Settle {
		task: u64,
	},
	Take {
		worker: Account,
		slots: u16,
	},
	/// One seat that was given lapses.
	Lapse {
		task: u64,
		seat: usize,
	},
	Finish {
		task: u64,
	},
	Suspend {
		worker: Account,
	},
	Blocks {
		blocks: u64,
	},
	Blind {
		blocks: u64,
	},
}

fn step() -> impl Strategy<Value = Step> {
	let task = 0u64..12;
	prop_oneof![
		3 => (10u128..100_000, 1u32..90, 1u32..5, any::<bool>(), any::<bool>(), 1u32..700).prop_map(
			|(reward, subtasks, range_size, proven, public, memory_mib)| Step::Submit {
				reward, subtasks, range_size, proven: proven && public, public, memory_mib,
			}
		),
		2 => (1u64..4, task.clone(), 0u128..10_000_000)
			.prop_map(|(who, task, amount)| Step::Fund { who, task, amount }),
		1 => (1u64..3, task.clone()).prop_map(|(who, task)| Step::Cancel { who, task }),
		1 => task.clone().prop_map(|task| Step::Settle { task }),
		8 => (101u64..=110, 1u16..20).prop_map(|(worker, slots)| Step::Take { worker, slots }),
		5 => (task.clone(), 0usize..200).prop_map(|(task, seat)| Step::Lapse { task, seat }),
		1 => task.prop_map(|task| Step::Finish { task }),
		1 => (101u64..=110).prop_map(|worker| Step::Suspend { worker }),
		6 => (1u64..6).prop_map(|blocks| Step::Blocks { blocks }),
		1 => (1u64..4).prop_map(|blocks| Step::Blind { blocks }),
	]
}

fn apply(step: Step) {
	match step {
		Step::Submit { reward, subtasks, range_size, proven, public, memory_mib } => {
			let selection = if proven { Selection::Proven } else { Selection::Any };
			let visibility = if public { Visibility::Public } else { Visibility::Private };
			let limits = SubtaskLimits { memory_mib, ..spec().limits };
			submit(
				1,
				TaskSpec { reward, subtasks, range_size, selection, visibility, limits, ..spec() },
			);
		},
		Step::Fund { who, task, amount } => {
			let _ = Tasks::fund(RuntimeOrigin::signed(who), TaskId(task), amount);
		},
		Step::Cancel { who, task } => {
			let _ = Tasks::cancel(RuntimeOrigin::signed(who), TaskId(task));
		},
		Step::Settle { task } => {
			let _ = Tasks::settle(RuntimeOrigin::signed(9), TaskId(task));
		},
		Step::Take { worker, slots } => {
			let _ = Tasks::take(RuntimeOrigin::signed(worker), slots);
		},
		Step::Lapse { task, seat } => {
			let Some(votes) = TestJudge::votes(TaskId(task)) else { return };
			if votes.closed || votes.seats.is_empty() {
				return;
			}
			let (range, worker, ..) = votes.seats[seat % votes.seats.len()];
			TestWorkers::vacate(&worker);
			Tasks::reopen(TaskId(task), range);
		},
		Step::Finish { task } => {
			if TasksMap::<Test>::get(TaskId(task)).is_some_and(|task| task.begun > 0) {
				Tasks::finished(TaskId(task));
			}
		},
		Step::Suspend { worker } => TestWorkers::set(worker, Err(Refusal::Suspended)),
		Step::Blocks { blocks } => (0..blocks).for_each(|_| next_block()),
		Step::Blind { blocks } => {
			set_seed(None);
			(0..blocks).for_each(|_| next_block());
			set_seed(Some(blocks));
		},
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(96))]

	/// The invariants hold after every step; no operator has two seats on a range; and once
	/// nobody does anything any more, every task is settled and its money closed.
	#[test]
	fn every_life_ends_well(steps in prop::collection::vec(step(), 1..120)) {
		ExtBuilder::default().workers(10, 30).build_and_execute(|| {
			for step in steps {
				apply(step);
				Tasks::do_try_state().unwrap();
			}
			let submitted = NextTaskId::<Test>::get();
			for task in (0..submitted).map(TaskId) {
				let seats = TestJudge::votes(task).unwrap().seats;
				let pairs: BTreeSet<_> = seats.iter().map(|seat| (seat.0, seat.2)).collect();
				assert_eq!(pairs.len(), seats.len());
			}
			run_to(System::block_number() + 300);
			assert_eq!(TasksMap::<Test>::iter().count(), 0);
			assert_eq!(Tasks::line().waiting, 0);
			for task in (0..submitted).map(TaskId) {
				assert!(TestEscrow::ledger(task).unwrap().closed);
				assert!(Tasks::settlement(task).is_some());
			}
		});
	}

	/// However many dear tasks there are, a cheap one has all its seats in the end, as long as
	/// workers ask; and so has every other.
	#[test]
	fn no_task_starves(rewards in prop::collection::vec(10u128..10_000_000, 2..24), seed: u64) {
		ExtBuilder::default().workers(4, u16::MAX).build_and_execute(|| {
			set_seed(Some(seed));
			let spec = TaskSpec { queue_timeout: 9_000, run_timeout: 9_000, ..spec() };
			for reward in &rewards {
				submit(1, TaskSpec { reward: *reward, ..spec.clone() });
			}
			let open = |task: u64| Tasks::queue_position(TaskId(task)).is_some();
			// 15 seats a task; a draw that begins at a bucket by rotation serves its first task.
			for _ in 0..rewards.len() * 40 {
				(101..=104).for_each(|worker| {
					let _ = Tasks::take(RuntimeOrigin::signed(worker), 1);
				});
				next_block();
			}
			assert!((0..rewards.len() as u64).all(|task| !open(task)));
		});
	}

	/// The cheapest task gets a seat within a bounded number of draws, although dear seats stay
	/// open all the while.
	#[test]
	fn the_cheapest_is_served_soon(buckets in 1u32..20, seed: u64) {
		ExtBuilder::default().workers(40, u16::MAX).build_and_execute(|| {
			set_seed(Some(seed));
			let spec = TaskSpec { queue_timeout: 9_000, ..spec() };
			for bucket in 1..=buckets {
				submit(1, TaskSpec { subtasks: 900, reward: 10 << bucket, ..spec.clone() });
			}
			let cheap = submit(1, TaskSpec { reward: 10, ..spec });
			let draws = 4 * (buckets + 1);
			(0..draws).for_each(|draw| {
				take(101 + u64::from(draw % 40), 1);
				next_block();
				next_block();
			});
			assert!(!TestJudge::votes(cheap).unwrap().seats.is_empty());
		});
	}

	/// Ranges are reopened in any order and number: all of those seats are given again.
	#[test]
	fn no_reopened_seat_is_lost(reopened in prop::collection::vec(0u32..30, 1..100)) {
		ExtBuilder::default().workers(110, u16::MAX).build_and_execute(|| {
			let id = submit(1, TaskSpec { subtasks: 60, run_timeout: 900, ..spec() });
			(0..9).for_each(|_| {
				(101..=103).for_each(|worker| take(worker, 20));
				run_to(System::block_number() + 3);
			});
			assert_eq!(TestJudge::votes(id).unwrap().seats.len(), 90);
			for range in &reopened {
				Tasks::reopen(id, RangeIndex(*range));
			}
			for worker in 104..=210 {
				take(worker, 30);
				next_block();
			}
			run_to(System::block_number() + 3);
			assert_eq!(TestJudge::votes(id).unwrap().seats.len(), 90 + reopened.len());
			assert_eq!(Tasks::queue_position(id), None);
		});
	}
}
