//! What the pallet stores.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use dgcs_primitives::{api::ServiceAddress, EncryptionKey};
use frame_support::{
	traits::fungible::{Credit, Inspect},
	BoundedVec,
};
use frame_system::pallet_prelude::BlockNumberFor;
use scale_info::TypeInfo;
use sp_runtime::Perbill;

use crate::Config;

/// The balance type of the pallet's currency.
pub type BalanceOf<T> =
	<<T as Config>::Currency as Inspect<<T as frame_system::Config>::AccountId>>::Balance;

/// Money on its way to the pot.
pub type CreditOf<T> = Credit<<T as frame_system::Config>::AccountId, <T as Config>::Currency>;

/// A [`Candidate`] of this runtime.
pub type CandidateOf<T> = Candidate<BalanceOf<T>>;

/// An [`UnbondingBond`] of this runtime.
pub type UnbondingOf<T> = UnbondingBond<BalanceOf<T>, BlockNumberFor<T>>;

/// The candidates by bond, highest first.
pub type RankingOf<T> = BoundedVec<
	(BalanceOf<T>, <T as frame_system::Config>::AccountId),
	<T as Config>::MaxCandidates,
>;

/// A bonded masternode.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct Candidate<Balance> {
	/// What it has at stake.
	pub bond: Balance,
	/// Where key shares are sealed to.
	pub key: EncryptionKey,
	/// Where it answers.
	pub address: ServiceAddress,
}

/// The bond of a masternode that is none any more.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct UnbondingBond<Balance, BlockNumber> {
	/// What is still held.
	pub amount: Balance,
	/// The first block in which it can be withdrawn.
	pub due: BlockNumber,
}

/// What a masternode was slashed for one session.
#[derive(
	Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct SlashRecord<Balance> {
	/// The highest fraction so far.
	pub fraction: Perbill,
	/// The bond at the first report: what the fractions are of.
	pub base: Balance,
	/// What was taken so far.
	pub taken: Balance,
}
