//! A runtime with real sessions around the pallet.
#![allow(clippy::unwrap_used, missing_docs, missing_debug_implementations)]

use crate as pallet_masternodes;
use dgcs_primitives::{api::ServiceAddress, EncryptionKey};
use frame_support::{
	derive_impl, parameter_types,
	traits::{ConstU128, ConstU32, ConstU64, FindAuthor},
	ConsensusEngineId, PalletId,
};
use frame_system::EnsureRoot;
use pallet_session::{
	disabling::UpToLimitDisablingStrategy, historical as pallet_session_historical,
	PeriodicSessions, SessionInterface, TestSessionHandler,
};
use sp_core::H256;
use sp_runtime::{
	impl_opaque_keys, testing::UintAuthorityId, traits::ConvertInto, BuildStorage, Perbill,
};
use sp_staking::{
	offence::{OffenceDetails, OnOffenceHandler},
	SessionIndex,
};

pub type Block = frame_system::mocking::MockBlock<Test>;
pub type AccountId = u64;
pub type Balance = u128;

pub const EXISTENTIAL_DEPOSIT: Balance = 10;
pub const MIN_BOND: Balance = 100;
pub const ENDOWMENT: Balance = 10_000;
pub const SESSION: u64 = 10;
pub const UNBONDING: u64 = 40;
pub const MIN_ACTIVE: u32 = 2;

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
	pub type Masternodes = pallet_masternodes;
	#[runtime::pallet_index(3)]
	pub type Session = pallet_session;
	#[runtime::pallet_index(4)]
	pub type Historical = pallet_session_historical;
	#[runtime::pallet_index(5)]
	pub type Authorship = pallet_authorship;
}

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = Block;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
}

impl_opaque_keys! {
	pub struct Keys {
		pub dummy: UintAuthorityId,
	}
}

impl pallet_session::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type ShouldEndSession = PeriodicSessions<ConstU64<SESSION>, ConstU64<0>>;
	type NextSessionRotation = PeriodicSessions<ConstU64<SESSION>, ConstU64<0>>;
	type SessionManager = pallet_session_historical::NoteHistoricalRoot<Test, Masternodes>;
	type SessionHandler = TestSessionHandler;
	type Keys = Keys;
	type DisablingStrategy = UpToLimitDisablingStrategy;
	type WeightInfo = ();
	type Currency = Balances;
	type KeyDeposit = ConstU128<0>;
}

impl pallet_session_historical::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type FullIdentification = AccountId;
	type FullIdentificationOf = ConvertInto;
}

parameter_types! {
	/// Who authors the blocks to come.
	pub static Author: Option<AccountId> = None;
}

pub struct TestAuthor;
impl FindAuthor<AccountId> for TestAuthor {
	fn find_author<'a, I>(_: I) -> Option<AccountId>
	where
		I: 'a + IntoIterator<Item = (ConsensusEngineId, &'a [u8])>,
	{
		Author::get()
	}
}

impl pallet_authorship::Config for Test {
	type FindAuthor = TestAuthor;
	type EventHandler = Masternodes;
}

parameter_types! {
	pub const PotId: PalletId = PalletId(*b"dgcs/pot");
}

impl pallet_masternodes::Config for Test {
	type AdminOrigin = EnsureRoot<AccountId>;
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Session = Session;
	type MinBond = ConstU128<MIN_BOND>;
	type MinActive = ConstU32<MIN_ACTIVE>;
	type MaxActive = ConstU32<4>;
	type MaxCandidates = ConstU32<6>;
	type UnbondingPeriod = ConstU64<UNBONDING>;
	type SessionLength = ConstU64<SESSION>;
	type ReportSessions = ConstU32<2>;
	type PotId = PotId;
	type WeightInfo = ();
}

/// A chain with accounts 1 to 12, all of them with session keys but 12.
pub struct ExtBuilder {
	masternodes: Vec<(AccountId, Balance)>,
	active_count: u32,
}

impl Default for ExtBuilder {
	/// Four masternodes, the highest bond first; three of them active.
	fn default() -> Self {
		Self { masternodes: vec![(1, 500), (2, 400), (3, 300), (4, 200)], active_count: 3 }
	}
}

impl ExtBuilder {
	pub fn masternodes(mut self, masternodes: &[(AccountId, Balance)]) -> Self {
		self.masternodes = masternodes.to_vec();
		self
	}

	pub fn active_count(mut self, count: u32) -> Self {
		self.active_count = count;
		self
	}

	pub fn build(self) -> sp_io::TestExternalities {
		let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
		let balances = (1..=12).map(|who| (who, ENDOWMENT)).collect();
		let masternodes = self
			.masternodes
			.iter()
			.map(|(who, bond)| (*who, *bond, key(*who), format!("/dns/{who}.example/tcp/30333")))
			.collect();
		let genesis = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig { balances, ..Default::default() },
			masternodes: crate::GenesisConfig { masternodes, active_count: self.active_count },
			session: pallet_session::GenesisConfig {
				keys: (1..=11)
					.map(|who| (who, who, Keys { dummy: UintAuthorityId(who) }))
					.collect(),
				..Default::default()
			},
			..Default::default()
		};
		genesis.assimilate_storage(&mut storage).unwrap();
		let mut ext = sp_io::TestExternalities::new(storage);
		ext.execute_with(|| {
			Author::set(None);
			System::run_to_block::<AllPalletsWithSystem>(1);
			System::reset_events();
		});
		ext
	}

	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			let issued = Balances::total_issuance();
			test();
			Masternodes::do_try_state().unwrap();
			assert_eq!(Balances::total_issuance(), issued, "money was made or lost");
		});
	}
}

pub fn key(n: u64) -> EncryptionKey {
	EncryptionKey(H256::from_low_u64_be(n))
}

pub fn address(text: &str) -> ServiceAddress {
	text.as_bytes().to_vec().try_into().unwrap()
}

pub fn join(who: AccountId, bond: Balance) -> sp_runtime::DispatchResult {
	Masternodes::join(RuntimeOrigin::signed(who), bond, key(who), address("https://m.example"))
}

pub fn ranked() -> Vec<AccountId> {
	crate::Ranking::<Test>::get().into_iter().map(|(_, who)| who).collect()
}

pub fn run_to(block: u64) {
	System::run_to_block::<AllPalletsWithSystem>(block);
}

/// Makes `blocks` blocks by `author`.
pub fn author_blocks(author: AccountId, blocks: u64) {
	Author::set(Some(author));
	run_to(System::block_number().saturating_add(blocks));
	Author::set(None);
}

/// Runs to the first block of session `session`.
pub fn run_to_session(session: SessionIndex) {
	run_to(u64::from(session).saturating_mul(SESSION));
	assert_eq!(pallet_session::CurrentIndex::<Test>::get(), session);
}

/// Reports `who` for an offence in `session`.
pub fn offend(who: AccountId, percent: u32, session: SessionIndex) {
	let offender = OffenceDetails { offender: (who, who), reporters: vec![9] };
	Masternodes::on_offence(&[offender], &[Perbill::from_percent(percent)], session);
}

/// Takes `amount` from `who` and gives it to the pot as fees are.
pub fn pay_fee(who: AccountId, amount: Balance) {
	use frame_support::traits::{
		fungible::Balanced,
		tokens::{Fortitude::Polite, Precision::Exact, Preservation::Preserve},
		OnUnbalanced,
	};
	let credit = Balances::withdraw(&who, amount, Exact, Preserve, Polite).unwrap();
	Masternodes::on_unbalanced(credit);
}

pub fn set_session_keys(who: AccountId) {
	<Session as SessionInterface>::set_keys(&who, Keys { dummy: UintAuthorityId(who) }).unwrap();
}

pub fn disabled() -> Vec<AccountId> {
	let validators = Session::validators();
	Session::disabled_validators().into_iter().map(|i| validators[i as usize]).collect()
}

pub fn held(who: AccountId) -> Balance {
	use frame_support::traits::fungible::InspectHold;
	Balances::balance_on_hold(&crate::HoldReason::Bond.into(), &who)
}

pub fn events() -> Vec<crate::Event<Test>> {
	let events = System::read_events_for_pallet::<crate::Event<Test>>();
	System::reset_events();
	events
}
