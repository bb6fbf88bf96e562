//! Every call, and every step of a tally or of `on_idle`, at its worst.

#![allow(clippy::unwrap_used, missing_docs)]

use alloc::vec::Vec;
use dgcs_primitives::{
	range::{Phase, SeatState},
	Digests, Judge, RangeIndex, RangeTerms, ResultDigest, TaskBook, TaskId, MAX_REPLICAS,
};
use frame_benchmarking::v2::*;
use frame_support::weights::WeightMeter;
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_core::H256;
use sp_runtime::SaturatedConversion;

use crate::{
	pallet::{Agenda, AgendaCursor, Answers, Blocks, Closing, Config, Heads, Pallet, Ranges},
	types::Answer,
	Call,
};

/// What a benchmark needs of the other pallets.
pub trait BenchmarkHelper<AccountId> {
	/// A running task with at least 6,400 subtasks, a reward, and money for 15 replicas of each;
	/// its payout scheme is the one that costs most to pay by.
	fn task() -> TaskId;

	/// A registered worker, another one for each `index`, with one of its slots taken; and its
	/// operator, that has no other worker.
	fn worker(index: u32) -> (AccountId, AccountId);
}

const RANGE: RangeIndex = RangeIndex(0);
const SALT: H256 = H256::repeat_byte(1);
const UNTIL: u32 = 1_000;

fn set_block<T: Config>(block: u32) {
	frame_system::Pallet::<T>::set_block_number(BlockNumberFor::<T>::from(block));
}

/// `subtasks` digests; the one of subtask `odd` is `odd`'s own.
fn digests(subtasks: u32, odd: Option<u32>) -> Digests {
	let digest = |subtask| {
		let byte = if Some(subtask) == odd { 0xEE } else { subtask as u8 };
		ResultDigest(H256::repeat_byte(byte))
	};
	Digests::truncate_from((0..subtasks).map(digest).collect())
}

/// A range of `subtasks` with `seats` seats, all of them leased.
fn leased<T: Config>(seats: u32, subtasks: u32) -> (TaskId, Vec<T::AccountId>) {
	set_block::<T>(1);
	let task = T::BenchmarkHelper::task();
	let terms =
		RangeTerms { len: subtasks as u8, replicas: seats as u8, max_replicas: MAX_REPLICAS };
	let workers = (0..seats)
		.map(|index| {
			let (worker, operator) = T::BenchmarkHelper::worker(index);
			Pallet::<T>::seat(task, RANGE, terms, &worker, &operator, UNTIL).unwrap();
			worker
		})
		.collect();
	(task, workers)
}

fn commit_all<T: Config>(
	task: TaskId,
	workers: &[T::AccountId],
	answer: impl Fn(usize) -> Digests,
) {
	for (place, worker) in workers.iter().enumerate() {
		let range = Ranges::<T>::get(task, RANGE).unwrap();
		let ballot = Pallet::<T>::ballot(task, RANGE, &range);
		let commitment = ballot.commitment(worker, &answer(place), &SALT);
		Pallet::<T>::do_commit(worker.clone(), task, RANGE, commitment).unwrap();
	}
}

/// All have revealed what `answer` says, except that the votes are not counted yet.
fn revealed<T: Config>(seats: u32, subtasks: u32, answer: impl Fn(usize) -> Digests) -> TaskId {
	let (task, workers) = leased::<T>(seats, subtasks);
	commit_all::<T>(task, &workers, &answer);
	Ranges::<T>::mutate(task, RANGE, |range| {
		let range = range.as_mut().unwrap();
		for (place, seat) in range.seats.iter_mut().enumerate() {
			let answer = Answer { open: range.open, digests: answer(place) };
			let key = answer.key();
			Answers::<T>::insert((task, RANGE, key), answer);
			seat.state = SeatState::Revealed(key);
		}
	});
	task
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn commit() {
		let (task, workers) = leased::<T>(u32::from(MAX_REPLICAS), 64);
		let (last, others) = workers.split_last().unwrap();
		commit_all::<T>(task, others, |_| digests(64, None));
		let commitment = Default::default();

		#[extrinsic_call]
		_(RawOrigin::Signed(last.clone()), task, RANGE, commitment);

		let range = Ranges::<T>::get(task, RANGE).unwrap();
		assert!(matches!(range.phase, Phase::Reveal { .. }));
	}

	#[benchmark]
	fn reveal(d: Linear<1, 64>) {
		let (task, workers) = leased::<T>(u32::from(MAX_REPLICAS), d);
		commit_all::<T>(task, &workers, |_| digests(d, None));
		let worker = workers.first().unwrap().clone();

		#[extrinsic_call]
		_(RawOrigin::Signed(worker), task, RANGE, digests(d, None), SALT);

		assert_eq!(Answers::<T>::iter().count(), 1);
	}

	#[benchmark]
	fn tally_unanimous(s: Linear<3, 15>, d: Linear<1, 64>) {
		let task = revealed::<T>(s, d, |_| digests(d, None));
		let range = Ranges::<T>::get(task, RANGE).unwrap();

		#[block]
		{
			Pallet::<T>::do_tally(task, RANGE, range, T::TaskBook::reward(task), None);
		}

		assert_eq!(Heads::<T>::get(task).unwrap().agreed, d);
		assert!(!Ranges::<T>::contains_key(task, RANGE));
	}

	/// Everybody is right but in one subtask of its own, so that everybody is both paid and
	/// slashed.
	#[benchmark]
	fn tally_split(s: Linear<3, 15>) {
		let task = revealed::<T>(s, 64, |place| digests(64, Some(place as u32)));
		let range = Ranges::<T>::get(task, RANGE).unwrap();

		#[block]
		{
			Pallet::<T>::do_tally(task, RANGE, range, T::TaskBook::reward(task), None);
		}

		assert_eq!(Heads::<T>::get(task).unwrap().agreed, 64);
		assert_eq!(Answers::<T>::iter().count(), 0);
	}

	/// One more has committed, so that those who lapse are rated.
	#[benchmark]
	fn lapse(s: Linear<1, 14>) {
		let (task, workers) = leased::<T>(s + 1, 64);
		commit_all::<T>(task, &workers[..1], |_| digests(64, None));
		set_block::<T>(UNTIL + 1);

		#[block]
		{
			Pallet::<T>::do_expire(task, RANGE).unwrap();
		}

		assert_eq!(Ranges::<T>::get(task, RANGE).unwrap().seats.len(), 1);
	}

	/// Leases that were met, and a reveal that ends later.
	#[benchmark]
	fn agenda_entry() {
		let seats = u32::from(MAX_REPLICAS);
		let (task, workers) = leased::<T>(seats, 64);
		set_block::<T>(UNTIL);
		commit_all::<T>(task, &workers, |_| digests(64, None));
		set_block::<T>(UNTIL + 1);

		#[block]
		{
			let mut meter = WeightMeter::new();
			assert!(Pallet::<T>::drain_block(UNTIL + 1, UNTIL + 1, &mut meter));
		}

		assert!(Ranges::<T>::get(task, RANGE).unwrap().due > UNTIL + 1);
	}

	#[benchmark]
	fn agenda_block() {
		#[block]
		{
			assert!(Pallet::<T>::drain_block(1, 1, &mut WeightMeter::new()));
		}

		assert_eq!(Agenda::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn on_idle_base() {
		set_block::<T>(1);
		AgendaCursor::<T>::put(1);
		let now: u32 = frame_system::Pallet::<T>::block_number().saturated_into();

		#[block]
		{
			Pallet::<T>::do_idle(now, frame_support::weights::Weight::MAX);
		}

		assert_eq!(AgendaCursor::<T>::get(), 2);
	}

	#[benchmark]
	fn close_task() {
		Closing::<T>::insert(TaskId(u64::MAX), ());

		#[block]
		{
			Pallet::<T>::drain_closing(&mut WeightMeter::new());
		}

		assert_eq!(Closing::<T>::iter().count(), 0);
	}

	/// All seats have answers of their own and are to be slashed, which costs more than a slot.
	#[benchmark]
	fn close_range() {
		let seats = u32::from(MAX_REPLICAS);
		let task = revealed::<T>(seats, 64, |place| digests(64, Some(place as u32)));
		let mut range = Ranges::<T>::get(task, RANGE).unwrap();
		range.seats.iter_mut().for_each(|seat| seat.dissented = 1);

		#[block]
		{
			Pallet::<T>::close_range(task, RANGE, range);
		}

		assert_eq!(Answers::<T>::iter().count() + Ranges::<T>::iter().count(), 0);
	}

	#[benchmark]
	fn remove_block() {
		let task = revealed::<T>(3, 64, |_| digests(64, None));
		let range = Ranges::<T>::get(task, RANGE).unwrap();
		Pallet::<T>::do_tally(task, RANGE, range, T::TaskBook::reward(task), None);

		#[block]
		{
			let index = Blocks::<T>::iter_key_prefix(task).next().unwrap();
			Blocks::<T>::remove(task, index);
		}

		assert_eq!(Blocks::<T>::iter().count(), 0);
	}

	impl_benchmark_test_suite!(
		Pallet,
		crate::mock::ExtBuilder::default().build(),
		crate::mock::Test
	);
}
