//! The pallets of DGCS itself, with the constants that make its economy.

use dgcs_primitives::{api::LEASES_PER_SLOT, TaskKind};
use frame_support::{
	parameter_types,
	traits::{ConstU16, ConstU32, Contains, Randomness},
	PalletId,
};
use frame_system::EnsureRoot;
use pallet_masternodes::PotAccount;
use sp_runtime::Perbill;

use crate::{
	constants::{DAYS, DGC, MICRO, MILLI, MILLISECS_PER_BLOCK, MINUTES, SESSION},
	AccountId, Balance, Balances, BlockNumber, Escrow, Hash, Masternodes, Runtime,
	RuntimeHoldReason, Session, System, Tasks, Verdicts, Workers,
};

/// Most masternodes that author and vote in a session.
pub const MAX_ACTIVE_MASTERNODES: u32 = 64;
/// How long there is to reveal, once all seats of a round have committed.
const REVEAL_PERIOD: BlockNumber = MINUTES;
/// Rounds that a vote may take beyond the lease: a reveal, and the draw of one more seat.
const VOTE_PERIOD: BlockNumber = 2 * REVEAL_PERIOD;
/// Longest time that a task may run.
const MAX_RUN_TIMEOUT: BlockNumber = 30 * DAYS;

parameter_types! {
	pub const MasternodeShare: Perbill = Perbill::from_percent(5);
	pub const MinContribution: Balance = 10 * MILLI;

	/// What a slot has at stake. A wrong range costs a tenth of it for every slot of the worker.
	pub const WorkerBond: Balance = 10 * DGC;
	pub const WrongSlash: Perbill = Perbill::from_percent(10);
	pub const SilentSlash: Perbill = Perbill::from_percent(1);
	pub const OfflineSlash: Perbill = Perbill::from_parts(5_000_000);
	pub const MinBondShare: Perbill = Perbill::from_percent(50);
	/// A worker answers for its results as long as any task that it worked for may run.
	pub const WorkerUnbonding: BlockNumber = MAX_RUN_TIMEOUT + DAYS;
	pub const SuspensionPeriod: BlockNumber = DAYS;

	pub const LeaseSlack: BlockNumber = MINUTES;
	pub const MinReward: Balance = MICRO;
	pub const DrawShare: Perbill = Perbill::from_percent(20);

	pub const PotId: PalletId = PalletId(*b"dgcs/pot");
	pub const MinMasternodeBond: Balance = 1_000 * DGC;
	/// Longer than an equivocation can be reported.
	pub const MasternodeUnbonding: BlockNumber = super::consensus::REPORT_WINDOW + DAYS;
}

impl pallet_escrow::Config for Runtime {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type MasternodeShare = MasternodeShare;
	type Pot = PotAccount<Runtime>;
	type MinContribution = MinContribution;
	type RefundsPerBlock = ConstU32<200>;
	type WeightInfo = pallet_escrow::weights::SubstrateWeight<Runtime>;
}

impl pallet_workers::Config for Runtime {
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Slashed = Masternodes;
	type Bond = WorkerBond;
	type MaxSlots = ConstU16<256>;
	type LeasesPerSlot = ConstU16<LEASES_PER_SLOT>;
	type UnbondingPeriod = WorkerUnbonding;
	type SuspensionPeriod = SuspensionPeriod;
	type WrongSlash = WrongSlash;
	type SilentSlash = SilentSlash;
	type OfflineSlash = OfflineSlash;
	type MinBondShare = MinBondShare;
	type ProvenRun = ConstU32<10>;
	type WeightInfo = pallet_workers::weights::SubstrateWeight<Runtime>;
}

impl pallet_masternodes::Config for Runtime {
	type AdminOrigin = EnsureRoot<AccountId>;
	type Currency = Balances;
	type RuntimeHoldReason = RuntimeHoldReason;
	type Session = Session;
	type MinBond = MinMasternodeBond;
	// The fewest with which GRANDPA survives the loss of one.
	type MinActive = ConstU32<4>;
	type MaxActive = ConstU32<MAX_ACTIVE_MASTERNODES>;
	type MaxCandidates = ConstU32<256>;
	type UnbondingPeriod = MasternodeUnbonding;
	type SessionLength = ConstU32<SESSION>;
	type ReportSessions = ConstU32<{ super::consensus::REPORT_SESSIONS }>;
	type PotId = PotId;
	type WeightInfo = pallet_masternodes::weights::SubstrateWeight<Runtime>;
}

/// The kinds that the chain has rules for.
pub struct SupportedKinds;

impl Contains<TaskKind> for SupportedKinds {
	fn contains(kind: &TaskKind) -> bool {
		matches!(kind, TaskKind::Compute)
	}
}

/// The VRF output of the block before, with that block as the one in which it became known: its
/// author knew it when choosing what to include.
pub struct ParentVrf;

impl Randomness<Option<Hash>, BlockNumber> for ParentVrf {
	fn random(subject: &[u8]) -> (Option<Hash>, BlockNumber) {
		let (seed, _) = pallet_babe::ParentBlockRandomness::<Runtime>::random(subject);
		(seed, System::block_number().saturating_sub(1))
	}
}

impl pallet_tasks::Config for Runtime {
	type Balance = Balance;
	type Escrow = Escrow;
	type Judge = Verdicts;
	type Workers = Workers;
	type Randomness = ParentVrf;
	type Kinds = SupportedKinds;
	type MillisecsPerBlock = frame_support::traits::ConstU64<MILLISECS_PER_BLOCK>;
	type LeaseSlack = LeaseSlack;
	type VotePeriod = ConstU32<VOTE_PERIOD>;
	type MaxQueueTimeout = ConstU32<{ 30 * DAYS }>;
	type MaxRunTimeout = ConstU32<MAX_RUN_TIMEOUT>;
	type MaxDecidedPerBlock = ConstU32<10_680>;
	type MinReward = MinReward;
	type MaxAsks = ConstU32<100_000>;
	type DrawShare = DrawShare;
	type WeightInfo = pallet_tasks::weights::SubstrateWeight<Runtime>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::Helper;
}

impl pallet_verdicts::Config for Runtime {
	type WeightInfo = pallet_verdicts::weights::SubstrateWeight<Runtime>;
	type Balance = Balance;
	type TaskBook = Tasks;
	type Escrow = Escrow;
	type Workers = Workers;
	type RevealPeriod = ConstU32<REVEAL_PERIOD>;
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = crate::benchmarking::Helper;
}
