//! BABE authors, GRANDPA finalises, sessions change who does; equivocation is reported and slashed.

use alloc::vec::Vec;
use frame_support::{
	parameter_types,
	traits::{ConstU32, ConstU64},
};
use pallet_session::historical::{self, NoteHistoricalRoot};
use sp_core::crypto::KeyTypeId;
use sp_runtime::traits::{ConvertInto, OpaqueKeys};

use crate::{
	constants::{DAYS, MILLI, MILLISECS_PER_BLOCK, SESSION},
	AccountId, Babe, Balance, Balances, Historical, Masternodes, Offences, Runtime, RuntimeCall,
	RuntimeEvent, Session, SessionKeys, TxExtension, UncheckedExtrinsic,
};

/// Blocks in which a masternode is tried first: one slot in four. The other slots go to a
/// secondary author with a VRF, so that every block brings randomness for the draw of leases.
pub const BABE_GENESIS_EPOCH_CONFIG: sp_consensus_babe::BabeEpochConfiguration =
	sp_consensus_babe::BabeEpochConfiguration {
		c: (1, 4),
		allowed_slots: sp_consensus_babe::AllowedSlots::PrimaryAndSecondaryVRFSlots,
	};

/// How many sessions long an equivocation can be reported. Shorter than the masternodes' unbonding.
pub const REPORT_SESSIONS: u32 = REPORT_WINDOW / SESSION;
/// The same in blocks.
pub const REPORT_WINDOW: u32 = 7 * DAYS;

parameter_types! {
	pub const ReportLongevity: u64 = REPORT_WINDOW as u64;
	pub const MaxAuthorities: u32 = super::dgcs::MAX_ACTIVE_MASTERNODES;
	pub const MaxSetIdSessionEntries: u64 = REPORT_SESSIONS as u64;
	/// What it costs to keep session keys on the chain; given back with them.
	pub const KeyDeposit: Balance = 100 * MILLI;
}

impl pallet_babe::Config for Runtime {
	type EpochDuration = ConstU64<{ SESSION as u64 }>;
	type ExpectedBlockTime = ConstU64<MILLISECS_PER_BLOCK>;
	type EpochChangeTrigger = pallet_babe::ExternalTrigger;
	type DisabledValidators = Session;
	type WeightInfo = ();
	type MaxAuthorities = MaxAuthorities;
	type MaxNominators = ConstU32<0>;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_babe::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_grandpa::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type WeightInfo = ();
	type MaxAuthorities = MaxAuthorities;
	type MaxNominators = ConstU32<0>;
	type MaxSetIdSessionEntries = MaxSetIdSessionEntries;
	type KeyOwnerProof = sp_session::MembershipProof;
	type EquivocationReportSystem =
		pallet_grandpa::EquivocationReportSystem<Self, Offences, Historical, ReportLongevity>;
}

impl pallet_authorship::Config for Runtime {
	type FindAuthor = pallet_session::FindAccountFromAuthorIndex<Self, Babe>;
	type EventHandler = Masternodes;
}

impl pallet_offences::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type IdentificationTuple = historical::IdentificationTuple<Self>;
	type OnOffenceHandler = Masternodes;
}

impl pallet_session::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type ValidatorId = AccountId;
	type ValidatorIdOf = ConvertInto;
	type ShouldEndSession = Babe;
	type NextSessionRotation = Babe;
	type SessionManager = NoteHistoricalRoot<Self, Masternodes>;
	type SessionHandler = <SessionKeys as OpaqueKeys>::KeyTypeIdProviders;
	type Keys = SessionKeys;
	type DisablingStrategy = pallet_session::disabling::UpToLimitDisablingStrategy;
	type WeightInfo = pallet_session::weights::SubstrateWeight<Runtime>;
	type Currency = Balances;
	type KeyDeposit = KeyDeposit;
}

impl historical::Config for Runtime {
	type RuntimeEvent = RuntimeEvent;
	type FullIdentification = AccountId;
	type FullIdentificationOf = ConvertInto;
}

impl<Call> frame_system::offchain::CreateTransactionBase<Call> for Runtime
where
	RuntimeCall: From<Call>,
{
	type Extrinsic = UncheckedExtrinsic;
	type RuntimeCall = RuntimeCall;
}

impl<Call> frame_system::offchain::CreateTransaction<Call> for Runtime
where
	RuntimeCall: From<Call>,
{
	type Extension = TxExtension;

	fn create_transaction(call: RuntimeCall, extension: TxExtension) -> UncheckedExtrinsic {
		UncheckedExtrinsic::new_transaction(call, extension)
	}
}

/// Equivocation reports travel unsigned.
impl<Call> frame_system::offchain::CreateBare<Call> for Runtime
where
	RuntimeCall: From<Call>,
{
	fn create_bare(call: RuntimeCall) -> UncheckedExtrinsic {
		UncheckedExtrinsic::new_bare(call)
	}
}

/// A proof that `key` belonged to a masternode at some session.
pub fn key_owner_proof<Key: codec::Encode>(
	kind: KeyTypeId,
	key: Key,
) -> Option<sp_session::MembershipProof> {
	use frame_support::traits::KeyOwnerProofSystem;
	<Historical as KeyOwnerProofSystem<(KeyTypeId, Vec<u8>)>>::prove((kind, key.encode()))
}
