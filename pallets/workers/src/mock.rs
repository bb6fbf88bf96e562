//! A runtime of this pallet and the balances, where slashed money is burned and counted.
#![allow(clippy::unwrap_used, missing_docs, missing_debug_implementations)]

use dgcs_primitives::{api::Capacity, EncryptionKey, Kinds, Workers as _};
use frame_support::{
	assert_ok, derive_impl, parameter_types,
	traits::{ConstU128, ConstU16, ConstU32, Imbalance, OnUnbalanced},
};
use sp_core::H256;
use sp_runtime::{BuildStorage, Perbill};

use crate::{self as pallet_workers, CreditOf, Event, WorkerOf};

pub type Balance = u128;
pub type AccountId = u64;

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
	pub type Workers = pallet_workers;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = frame_system::mocking::MockBlockU32<Test>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<1>;
	type AccountStore = System;
}

parameter_types! {
	pub static SlashedTotal: Balance = 0;
	pub const WrongSlash: Perbill = Perbill::from_percent(10);
	pub const SilentSlash: Perbill = Perbill::from_percent(1);
	pub const OfflineSlash: Perbill = Perbill::from_parts(5_000_000);
	pub const MinBondShare: Perbill = Perbill::from_percent(50);
}

/// Burns what is slashed, and counts it.
pub struct BurnSlashed;

impl OnUnbalanced<CreditOf<Test>> for BurnSlashed {
	fn on_nonzero_unbalanced(credit: CreditOf<Test>) {
		SlashedTotal::mutate(|total| *total += credit.peek());
	}
}

pub const BOND: Balance = 1_000;
pub const MAX_SLOTS: u16 = 8;
pub const LEASES_PER_SLOT: u16 = 2;
pub const UNBONDING: u32 = 100;
pub const SUSPENSION: u32 = 50;
pub const PROVEN: u32 = 10;
/// What each of the accounts 1 to 5 has.
pub const RICHES: Balance = 100_000;
/// An account that cannot pay a bond.
pub const POOR: AccountId = 9;

impl pallet_workers::Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Slashed = BurnSlashed;
	type Bond = ConstU128<BOND>;
	type MaxSlots = ConstU16<MAX_SLOTS>;
	type LeasesPerSlot = ConstU16<LEASES_PER_SLOT>;
	type UnbondingPeriod = ConstU32<UNBONDING>;
	type SuspensionPeriod = ConstU32<SUSPENSION>;
	type WrongSlash = WrongSlash;
	type SilentSlash = SilentSlash;
	type OfflineSlash = OfflineSlash;
	type MinBondShare = MinBondShare;
	type ProvenRun = ConstU32<PROVEN>;
	type WeightInfo = ();
}

/// A chain at block 1.
#[derive(Default)]
pub struct ExtBuilder {
	workers: Vec<(AccountId, u16)>,
}

impl ExtBuilder {
	/// Registers a worker with that many slots, run by the operator `100 + worker`.
	pub fn worker(mut self, worker: AccountId, slots: u16) -> Self {
		self.workers.push((worker, slots));
		self
	}

	/// An empty chain.
	pub fn build(self) -> sp_io::TestExternalities {
		let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
		let mut balances: Vec<_> = (1..=5).map(|account| (account, RICHES)).collect();
		balances.push((POOR, BOND / 2));
		pallet_balances::GenesisConfig::<Test> { balances, ..Default::default() }
			.assimilate_storage(&mut storage)
			.unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			SlashedTotal::set(0);
			System::set_block_number(1);
			for (worker, slots) in self.workers {
				assert_ok!(register(worker, slots));
			}
			System::reset_events();
		});
		ext
	}

	/// Runs a test, and checks the state and that no money was lost or made.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			let before = Balances::total_issuance();
			test();
			assert_eq!(Balances::total_issuance() + SlashedTotal::get(), before);
			Workers::do_try_state().unwrap();
		});
	}
}

pub fn key(n: u8) -> EncryptionKey {
	EncryptionKey(H256::repeat_byte(n))
}

pub fn capacity(slots: u16) -> Capacity {
	Capacity { slots, memory_mib: 512 }
}

pub fn register(worker: AccountId, slots: u16) -> sp_runtime::DispatchResult {
	let origin = RuntimeOrigin::signed(worker);
	Workers::register(origin, 100 + worker, key(1), capacity(slots), Kinds(1))
}

pub fn resize(worker: AccountId, slots: u16) -> sp_runtime::DispatchResult {
	let origin = RuntimeOrigin::signed(worker);
	Workers::update(origin, 100 + worker, key(1), capacity(slots), Kinds(1))
}

pub fn record(worker: AccountId) -> WorkerOf<Test> {
	crate::Workers::<Test>::get(worker).unwrap()
}

pub fn held(worker: AccountId) -> Balance {
	Workers::held(&worker)
}

pub fn advance(blocks: u32) {
	System::set_block_number(System::block_number() + blocks);
}

pub fn rate(worker: AccountId, conduct: dgcs_primitives::Conduct) {
	Workers::rate(&worker, conduct);
}

/// The events of this pallet since the last call.
pub fn events() -> Vec<Event<Test>> {
	let events = System::read_events_for_pallet::<Event<Test>>();
	System::reset_events();
	events
}
