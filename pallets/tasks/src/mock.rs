//! A chain with nothing but the task book: money, votes and workers are doubles.

#![allow(clippy::unwrap_used, missing_docs, missing_debug_implementations)]

use std::cell::RefCell;

use dgcs_primitives::{
	doubles::{self, TestEscrow, TestJudge, TestWorkers},
	ChainRecord, ContentCodec, ContentId, Judge, Payout, RangeIndex, RangeTerms, SeatError,
	Selection, SubtaskLimits, TaskBook, TaskId, TaskKind, TaskSpec, Visibility,
};
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU32, ConstU64, Contains, Hooks, Randomness},
	weights::{Weight, WeightMeter},
};
use sp_core::H256;
use sp_io::hashing::blake2_256;
use sp_runtime::{BuildStorage, Perbill};

use crate as pallet_tasks;

pub type Account = u64;
pub type Balance = u128;
pub type Block = frame_system::mocking::MockBlock<Test>;

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
	pub type Tasks = pallet_tasks;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = frame_support::traits::ConstU128<1>;
	type AccountStore = System;
}

/// [`TestJudge`], but it says when nothing is left to decide, and can close its ears.
pub struct FinishingJudge;

impl Judge<Account> for FinishingJudge {
	fn open(task: TaskId, subtasks: u32) {
		TestJudge::open(task, subtasks);
	}

	fn seat(
		task: TaskId,
		range: RangeIndex,
		terms: RangeTerms,
		worker: &Account,
		operator: &Account,
		until: u32,
	) -> Result<(), SeatError> {
		TestJudge::seat(task, range, terms, worker, operator, until)
	}

	fn withdraw(task: TaskId, subtasks: u32) {
		TestJudge::withdraw(task, subtasks);
		if TestJudge::votes(task).unwrap().open == 0 {
			Tasks::finished(task);
		}
	}

	fn close(task: TaskId) -> Option<ChainRecord> {
		TestJudge::close(task)
	}
}

thread_local! {
	static SEED: RefCell<Option<u64>> = const { RefCell::new(Some(0)) };
}

/// Says what every later draw comes from. `None`: a block without randomness.
pub fn set_seed(seed: Option<u64>) {
	SEED.with(|cell| *cell.borrow_mut() = seed);
}

/// A seed for each block, known since the block before, as the VRF of the parent block is.
pub struct TestRandomness;

impl Randomness<Option<H256>, u64> for TestRandomness {
	fn random(subject: &[u8]) -> (Option<H256>, u64) {
		let now = System::block_number();
		let seed = SEED.with(|cell| *cell.borrow());
		let hash = |seed| H256(blake2_256(&codec::Encode::encode(&(subject, seed, now))));
		(seed.map(hash), now.saturating_sub(1))
	}
}

pub struct ComputeAlone;

impl Contains<TaskKind> for ComputeAlone {
	fn contains(kind: &TaskKind) -> bool {
		*kind == TaskKind::Compute
	}
}

parameter_types! {
	pub const MinReward: Balance = 10;
	pub const DrawShare: Perbill = Perbill::from_percent(25);
}

impl pallet_tasks::Config for Test {
	type Balance = Balance;
	type Escrow = TestEscrow;
	type Judge = FinishingJudge;
	type Workers = TestWorkers;
	type Randomness = TestRandomness;
	type Kinds = ComputeAlone;
	type MillisecsPerBlock = ConstU64<3_000>;
	type LeaseSlack = ConstU32<10>;
	type VotePeriod = ConstU32<20>;
	type MaxQueueTimeout = ConstU32<10_000>;
	type MaxRunTimeout = ConstU32<100_000>;
	type MaxDecidedPerBlock = ConstU32<1_000>;
	type MinReward = MinReward;
	type MaxAsks = ConstU32<64>;
	type DrawShare = DrawShare;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = TestHelper;
}

#[cfg(feature = "runtime-benchmarks")]
pub struct TestHelper;

#[cfg(feature = "runtime-benchmarks")]
impl pallet_tasks::BenchmarkHelper<Account> for TestHelper {
	fn fund(_: &Account) {}

	fn add_worker(worker: &Account, slots: u16) {
		TestWorkers::add(*worker, *worker, slots);
	}
}

/// A chain at its first block.
#[derive(Default)]
pub struct ExtBuilder {
	workers: u64,
	slots: u16,
}

impl ExtBuilder {
	/// Adds workers 101, 102, … with so many slots each, every one its own operator.
	pub fn workers(mut self, workers: u64, slots: u16) -> Self {
		(self.workers, self.slots) = (workers, slots);
		self
	}

	pub fn build(self) -> sp_io::TestExternalities {
		let storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			doubles::reset();
			set_seed(Some(0));
			System::set_block_number(1);
			for i in 1..=self.workers {
				TestWorkers::add(100 + i, 100 + i, self.slots);
			}
		});
		ext
	}

	/// Runs the test, and checks every invariant after it.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Tasks::do_try_state().unwrap();
		});
	}
}

/// Room for everything that a test does.
pub fn plenty() -> Weight {
	Weight::from_parts(1_000_000_000_000, u64::MAX)
}

/// Ends the block and begins the next one.
pub fn next_block() {
	let now = System::block_number();
	Tasks::on_idle(now, plenty());
	System::set_block_number(now + 1);
	Tasks::on_poll(now + 1, &mut WeightMeter::with_limit(plenty()));
}

/// Goes on to block `block`.
pub fn run_to(block: u64) {
	while System::block_number() < block {
		next_block();
	}
}

/// Five ranges of two subtasks, three replicas, 100 each.
pub fn spec() -> TaskSpec<Balance> {
	TaskSpec {
		kind: TaskKind::Compute,
		manifest: ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(1) },
		input_root: H256::repeat_byte(2),
		subtasks: 10,
		range_size: 2,
		replicas: 3,
		max_replicas: 5,
		reward: 100,
		limits: SubtaskLimits { time_ms: 3_000, memory_mib: 64, fuel: 1_000_000 },
		queue_timeout: 50,
		run_timeout: 200,
		selection: Selection::Any,
		payout: Payout::Pps,
		visibility: Visibility::Private,
		keep_solution: true,
	}
}

/// Submits `spec` for `owner` and says its id.
pub fn submit(owner: Account, spec: TaskSpec<Balance>) -> TaskId {
	let id = TaskId(crate::NextTaskId::<Test>::get());
	Tasks::submit(RuntimeOrigin::signed(owner), spec).unwrap();
	id
}

/// Asks for work.
pub fn take(worker: Account, slots: u16) {
	Tasks::take(RuntimeOrigin::signed(worker), slots).unwrap();
}

/// The events of this pallet since the last call.
pub fn events() -> Vec<crate::Event<Test>> {
	let events = System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::Tasks(event) => Some(event),
			_ => None,
		})
		.collect();
	System::reset_events();
	events
}
