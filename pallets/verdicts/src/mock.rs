//! A runtime with nothing but the votes: the other pallets are the doubles of the primitives.

#![allow(clippy::unwrap_used, missing_docs, missing_debug_implementations)]

use dgcs_primitives::{
	doubles::{self, TestBook, TestEscrow, TestWorkers},
	Ballot, Digests, Escrow, Judge, Payout, RangeIndex, RangeTerms, ResultDigest, Round, SeatError,
	TaskId, Workers,
};
use frame_support::{derive_impl, parameter_types, traits::Hooks, weights::Weight};
use sp_core::H256;
use sp_runtime::{BuildStorage, DispatchResult};

use crate as pallet_verdicts;
use crate::{RangeOf, Ranges};

#[frame_support::runtime]
mod runtime {
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Test;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(2)]
	pub type Verdicts = pallet_verdicts;
}

type Block = frame_system::mocking::MockBlockU32<Test>;

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<u128>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = u128;
	type AccountStore = System;
}

parameter_types! {
	pub const RevealPeriod: u32 = 5;
}

impl crate::Config for Test {
	type WeightInfo = ();
	type Balance = u128;
	type TaskBook = TestBook;
	type Escrow = TestEscrow;
	type Workers = TestWorkers;
	type RevealPeriod = RevealPeriod;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Helper;
}

/// Sets the scene with the doubles.
#[cfg(feature = "runtime-benchmarks")]
pub struct Helper;

#[cfg(feature = "runtime-benchmarks")]
impl crate::benchmarking::BenchmarkHelper<u64> for Helper {
	fn task() -> TaskId {
		run_task(TaskId(7), 64 * 100);
		TaskId(7)
	}

	fn worker(index: u32) -> (u64, u64) {
		let worker = 1_000 + u64::from(index);
		TestWorkers::add(worker, worker + 1_000, 1);
		TestWorkers::occupy(&worker).unwrap();
		(worker, worker + 1_000)
	}
}

pub const TASK: TaskId = TaskId(1);
pub const RANGE: RangeIndex = RangeIndex(0);
pub const REWARD: u128 = 10;
pub const SLOTS: u16 = 4;
pub const SALT: H256 = H256::repeat_byte(0xAA);

/// Workers 1 to 20 are run by operators 101 to 120.
pub fn operator(worker: u64) -> u64 {
	worker + 100
}

pub struct ExtBuilder {
	subtasks: u32,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		Self { subtasks: 4 }
	}
}

impl ExtBuilder {
	pub fn subtasks(mut self, subtasks: u32) -> Self {
		self.subtasks = subtasks;
		self
	}

	pub fn build(self) -> sp_io::TestExternalities {
		doubles::reset();
		let storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			System::set_block_number(1);
			for worker in 1..=20 {
				TestWorkers::add(worker, operator(worker), SLOTS);
			}
			run_task(TASK, self.subtasks);
		});
		ext
	}

	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Verdicts::do_try_state().unwrap();
		});
	}
}

pub fn run_task(task: TaskId, subtasks: u32) {
	TestBook::run(task, REWARD);
	TestEscrow::open(task, &99, 1_000_000, Payout::Pps).unwrap();
	Verdicts::open(task, subtasks);
}

pub fn terms(len: u8) -> RangeTerms {
	RangeTerms { len, replicas: 3, max_replicas: 5 }
}

/// Gives a seat as the task book does, until block `until`.
pub fn seat_with(
	terms: RangeTerms,
	range: RangeIndex,
	worker: u64,
	until: u32,
) -> Result<(), SeatError> {
	Verdicts::seat(TASK, range, terms, &worker, &operator(worker), until)?;
	TestWorkers::occupy(&worker).unwrap();
	Ok(())
}

/// A seat for 10 blocks on a range of four.
pub fn seat(worker: u64) -> Result<(), SeatError> {
	seat_with(terms(4), RANGE, worker, System::block_number() + 10)
}

pub fn digests(found: &[u8]) -> Digests {
	let digests: Vec<_> = found.iter().map(|byte| ResultDigest(H256::repeat_byte(*byte))).collect();
	digests.try_into().unwrap()
}

pub fn ballot(round: u8) -> Ballot {
	Ballot { genesis: System::block_hash(0), task: TASK, range: RANGE, round: Round(round) }
}

/// Commits to `found` in the current round of [`RANGE`].
pub fn commit(worker: u64, found: &[u8]) -> DispatchResult {
	let round = range().map_or(0, |range| range.round.0);
	let commitment = ballot(round).commitment(&worker, &digests(found), &SALT);
	Verdicts::commit(RuntimeOrigin::signed(worker), TASK, RANGE, commitment)
}

pub fn reveal(worker: u64, found: &[u8]) -> DispatchResult {
	Verdicts::reveal(RuntimeOrigin::signed(worker), TASK, RANGE, digests(found), SALT)
		.map(|_| ())
		.map_err(|error| error.error)
}

/// Seats everybody, has them commit, and reveal.
pub fn vote(votes: &[(u64, &[u8])]) {
	for (worker, _) in votes {
		seat(*worker).unwrap();
	}
	for (worker, found) in votes {
		commit(*worker, found).unwrap();
	}
	for (worker, found) in votes {
		reveal(*worker, found).unwrap();
	}
}

pub fn range() -> Option<RangeOf<Test>> {
	Ranges::<Test>::get(TASK, RANGE)
}

/// Goes on to block `to`; every block has room for `on_idle`.
pub fn run_to(to: u32) {
	while System::block_number() < to {
		let now = System::block_number();
		Verdicts::on_idle(now, Weight::MAX);
		System::set_block_number(now + 1);
	}
}

/// `on_idle` of the current block.
pub fn idle() -> Weight {
	Verdicts::on_idle(System::block_number(), Weight::MAX)
}

pub fn room(worker: u64) -> u16 {
	TestWorkers::offer(&worker).unwrap().room
}

pub fn events() -> Vec<crate::Event<Test>> {
	System::read_events_for_pallet::<crate::Event<Test>>()
}
