//! A runtime for the tests, and the scene that each of them starts from.

#![allow(clippy::unwrap_used, missing_docs, missing_debug_implementations)]

use dgcs_primitives::TaskId;
use frame_support::{
	derive_impl, parameter_types,
	traits::{
		fungible::{Inspect as _, InspectHold as _},
		Hooks as _,
	},
	weights::Weight,
};
use sp_runtime::{BuildStorage, Perbill};

use crate as pallet_escrow;
use crate::{HoldReason, RefundQueueEnds};

pub type Balance = u128;
type Block = frame_system::mocking::MockBlock<Test>;

/// Owners of tasks.
pub const ALICE: u64 = 1;
pub const BOB: u64 = 2;
/// Contributors.
pub const CAROL: u64 = 4;
pub const DAVE: u64 = 5;
pub const EVE: u64 = 6;
/// Payees. Their accounts don't exist at the start.
pub const W1: u64 = 11;
pub const W2: u64 = 12;
pub const W3: u64 = 13;
pub const POT: u64 = 99;

pub const ENDOWMENT: Balance = 1_000_000;
pub const ED: Balance = 10;
pub const MIN_CONTRIBUTION: Balance = 100;
pub const REFUNDS_PER_BLOCK: u32 = 4;
pub const TASK: TaskId = TaskId(7);

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
	pub type Escrow = pallet_escrow;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<Balance>;
}

parameter_types! {
	pub const ExistentialDeposit: Balance = ED;
	pub const MinContribution: Balance = MIN_CONTRIBUTION;
	pub const Pot: u64 = POT;
	pub const RefundsPerBlock: u32 = REFUNDS_PER_BLOCK;
	pub static MasternodeShare: Perbill = Perbill::from_percent(5);
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type AccountStore = System;
	type Balance = Balance;
	type ExistentialDeposit = ExistentialDeposit;
	type FreezeIdentifier = [u8; 8];
	type MaxFreezes = frame_support::traits::ConstU32<1>;
}

impl pallet_escrow::Config for Test {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type MasternodeShare = MasternodeShare;
	type Pot = Pot;
	type MinContribution = MinContribution;
	type RefundsPerBlock = RefundsPerBlock;
	type WeightInfo = ();
}

/// Sets the scene of a test.
pub struct ExtBuilder {
	balances: Vec<(u64, Balance)>,
}

impl Default for ExtBuilder {
	fn default() -> Self {
		let rich = [ALICE, BOB, CAROL, DAVE, EVE].map(|account| (account, ENDOWMENT));
		Self { balances: [rich.as_slice(), &[(POT, ED)]].concat() }
	}
}

impl ExtBuilder {
	/// With this balance, or none at all, on `account`.
	pub fn endow(mut self, account: u64, balance: Balance) -> Self {
		self.balances.retain(|(other, _)| *other != account);
		if balance > 0 {
			self.balances.push((account, balance));
		}
		self
	}

	pub fn build(self) -> sp_io::TestExternalities {
		MasternodeShare::set(Perbill::from_percent(5));
		let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
		pallet_balances::GenesisConfig::<Test> { balances: self.balances, ..Default::default() }
			.assimilate_storage(&mut storage)
			.unwrap();
		let mut ext = sp_io::TestExternalities::from(storage);
		ext.execute_with(|| System::set_block_number(1));
		ext
	}

	/// Runs `test`, then checks that the storage is sound and that no unit was lost or made.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			let issuance = Balances::total_issuance();
			test();
			Escrow::do_try_state().unwrap();
			assert_eq!(Balances::total_issuance(), issuance);
			assert_eq!(all_balances(), issuance);
		});
	}
}

#[cfg(feature = "runtime-benchmarks")]
pub fn new_test_ext() -> sp_io::TestExternalities {
	ExtBuilder::default().build()
}

/// What all accounts have together.
pub fn all_balances() -> Balance {
	frame_system::Account::<Test>::iter()
		.map(|(_, account)| account.data.free + account.data.reserved)
		.sum()
}

pub fn free(account: u64) -> Balance {
	Balances::balance(&account)
}

pub fn on_hold(account: u64) -> Balance {
	Balances::balance_on_hold(&HoldReason::Task.into(), &account)
}

/// An idle block with this much weight left. Returns what was used.
pub fn idle(limit: Weight) -> Weight {
	Escrow::on_idle(System::block_number(), limit)
}

/// Idle blocks until nobody waits for a refund.
pub fn idle_until_drained() {
	for _ in 0..1_000 {
		if RefundQueueEnds::<Test>::get().is_empty() {
			return;
		}
		idle(Weight::MAX);
	}
	panic!("somebody waits for ever");
}

/// This pallet's events since the last call.
pub fn events() -> Vec<pallet_escrow::Event<Test>> {
	let events = System::read_events_for_pallet();
	System::reset_events();
	events
}
