#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod candidates;
mod genesis;
#[cfg(test)]
mod mock;
mod offences;
mod pot;
mod ranking;
mod session;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", feature = "std"))]
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use pot::PotAccount;
pub use types::{
	BalanceOf, Candidate, CandidateOf, CreditOf, RankingOf, SlashRecord, UnbondingBond, UnbondingOf,
};
pub use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::masternodes";

#[frame_support::pallet]
#[allow(missing_debug_implementations)] // Types that the macro makes.
pub mod pallet {
	use super::*;
	use alloc::{string::String, vec::Vec};
	use dgcs_primitives::{
		api::{MasternodeView, ServiceAddress},
		EncryptionKey,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{fungible, ValidatorRegistration, ValidatorSet},
		PalletId,
	};
	use frame_system::pallet_prelude::*;
	use pallet_session::SessionInterface;
	use sp_runtime::{
		traits::{Saturating, Zero},
		Perbill,
	};
	use sp_staking::SessionIndex;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	/// What the pallet needs of its runtime.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// Who sets how many masternodes are active.
		type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;

		/// The money that is bonded, and that masternodes are paid in.
		type Currency: fungible::Mutate<Self::AccountId>
			+ fungible::Balanced<Self::AccountId>
			+ fungible::MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ fungible::BalancedHold<Self::AccountId>;

		/// The runtime's hold reasons.
		type RuntimeHoldReason: From<HoldReason>;

		/// Sessions: `pallet_session::Pallet`. Says who has keys and who is active, disables
		/// offenders, and prunes the roots of sessions that can no longer be reported on.
		type Session: SessionInterface<ValidatorId = Self::AccountId, AccountId = Self::AccountId>
			+ ValidatorSet<Self::AccountId, ValidatorId = Self::AccountId>
			+ ValidatorRegistration<Self::AccountId>;

		/// The smallest bond to join with.
		#[pallet::constant]
		type MinBond: Get<BalanceOf<Self>>;

		/// Neither leaving nor a slash makes the candidates fewer than this.
		#[pallet::constant]
		type MinActive: Get<u32>;

		/// How many masternodes can be active at the most.
		#[pallet::constant]
		type MaxActive: Get<u32>;

		/// How many candidates there can be at the most.
		#[pallet::constant]
		type MaxCandidates: Get<u32>;

		/// For how many blocks a bond is held after its owner ceased to be a masternode.
		#[pallet::constant]
		type UnbondingPeriod: Get<BlockNumberFor<Self>>;

		/// How many blocks a session has at the most.
		#[pallet::constant]
		type SessionLength: Get<BlockNumberFor<Self>>;

		/// For how many sessions after the one in which it happened an offence can be reported.
		#[pallet::constant]
		type ReportSessions: Get<SessionIndex>;

		/// Names the account of the pot.
		#[pallet::constant]
		type PotId: Get<PalletId>;

		/// What the calls and hooks cost.
		type WeightInfo: WeightInfo;
	}

	/// Bonded masternodes of the top-level chain.
	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// Why money is on hold.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// It is the bond of a masternode, or was and is unbonding.
		#[codec(index = 0)]
		Bond,
	}

	/// The candidates. Hashed with Blake2, since anybody can choose an account.
	#[pallet::storage]
	pub type Candidates<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, CandidateOf<T>, OptionQuery>;

	/// The candidates by bond, highest first, the earlier first among equals.
	#[pallet::storage]
	pub type Ranking<T: Config> = StorageValue<_, RankingOf<T>, ValueQuery>;

	/// How many candidates are chosen for a session.
	#[pallet::storage]
	pub type ActiveCount<T: Config> = StorageValue<_, u32, ValueQuery>;

	/// Bonds of those who ceased to be masternodes. Hashed with Blake2, like the candidates.
	#[pallet::storage]
	pub type Unbonding<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, UnbondingOf<T>, OptionQuery>;

	/// Blocks authored in the current session. Hashed with Blake2, like the candidates. As few
	/// entries as masternodes are active; removed when the session ends.
	#[pallet::storage]
	pub type Authored<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, u32, ValueQuery>;

	/// Those who are active and were reported in the current session, with the worst they did.
	#[pallet::storage]
	pub type Offenders<T: Config> =
		StorageValue<_, BoundedVec<(T::AccountId, Perbill), T::MaxActive>, ValueQuery>;

	/// What was slashed for which session (nobody chooses its index: Twox). Removed together with
	/// the session's historical root.
	#[pallet::storage]
	pub type Slashed<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		SessionIndex,
		Blake2_128Concat,
		T::AccountId,
		SlashRecord<BalanceOf<T>>,
		OptionQuery,
	>;

	/// The masternodes that a chain starts with. Balances have to be built before, sessions after.
	#[pallet::genesis_config]
	pub struct GenesisConfig<T: Config> {
		/// Account, bond, key to seal key shares to, address.
		pub masternodes: Vec<(T::AccountId, BalanceOf<T>, EncryptionKey, String)>,
		/// How many of them are active.
		pub active_count: u32,
	}

	impl<T: Config> Default for GenesisConfig<T> {
		fn default() -> Self {
			Self { masternodes: Vec::new(), active_count: T::MaxActive::get() }
		}
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			Pallet::<T>::do_genesis(self);
		}
	}

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// An account became a masternode.
		Joined {
			/// The masternode.
			who: T::AccountId,
			/// What it has bonded.
			bond: BalanceOf<T>,
		},
		/// A masternode bonded more.
		BondRaised {
			/// The masternode.
			who: T::AccountId,
			/// All that it has bonded now.
			bond: BalanceOf<T>,
		},
		/// A masternode changed its key or its address.
		Updated {
			/// The masternode.
			who: T::AccountId,
		},
		/// A masternode left.
		Left {
			/// The account.
			who: T::AccountId,
			/// What is unbonding.
			amount: BalanceOf<T>,
			/// The first block in which that can be withdrawn.
			due: BlockNumberFor<T>,
		},
		/// A masternode lost its place to one with a higher bond.
		Outbid {
			/// The account.
			who: T::AccountId,
			/// The newcomer.
			by: T::AccountId,
			/// What is unbonding.
			amount: BalanceOf<T>,
			/// The first block in which that can be withdrawn.
			due: BlockNumberFor<T>,
		},
		/// A masternode lost its place because of an offence.
		Chilled {
			/// The account.
			who: T::AccountId,
			/// What is unbonding.
			amount: BalanceOf<T>,
			/// The first block in which that can be withdrawn.
			due: BlockNumberFor<T>,
		},
		/// A bond is free again.
		Withdrawn {
			/// The account.
			who: T::AccountId,
			/// How much it was.
			amount: BalanceOf<T>,
		},
		/// A part of a bond went to the pot.
		Slashed {
			/// The offender.
			who: T::AccountId,
			/// How much was taken now.
			amount: BalanceOf<T>,
			/// Which part of the bond the offence costs in all.
			fraction: Perbill,
			/// The session in which it happened.
			session: SessionIndex,
		},
		/// A masternode got its part of the pot.
		Rewarded {
			/// The masternode.
			who: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
			/// For how many blocks.
			authored: u32,
		},
		/// The pot was divided.
		RewardsPaid {
			/// The session that ended.
			session: SessionIndex,
			/// All that was paid.
			total: BalanceOf<T>,
		},
		/// The number of active masternodes changed, for the sessions that are not planned yet.
		ActiveCountSet {
			/// How many there are to be.
			count: u32,
		},
	}

	/// Why a call was refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The account has no session keys: make them with `author_rotateKeysWithOwner` on the
		/// masternode, and register them by `session.setKeys` first.
		NoSessionKeys,
		/// The account is a masternode already: bond more instead.
		AlreadyCandidate,
		/// The bond of an earlier time is not withdrawn yet: wait until it is due, withdraw it.
		StillUnbonding,
		/// The bond is below `MinBond`.
		BondTooSmall,
		/// There is no place for another masternode: bond more than the lowest in the ranking.
		Outranked,
		/// The account is no masternode: join first.
		NotCandidate,
		/// Too few masternodes would be left: wait until another has joined.
		TooFewLeft,
		/// Nothing of the account is unbonding.
		NotUnbonding,
		/// The bond is still needed for offences that may be reported: wait until it is due.
		NotDue,
		/// Nothing can be sealed to this key: give the X25519 public key of the masternode.
		InvalidKey,
		/// The address is empty, or has other characters than printable ASCII: give a URL or a
		/// multiaddress.
		InvalidAddress,
		/// The number is not from `MinActive` to `MaxActive`.
		CountOutOfRange,
		/// The amount is zero.
		NothingToBond,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			let (min, max) = (T::MinActive::get(), T::MaxActive::get());
			assert!(min >= 1, "a chain needs a masternode: raise MinActive");
			assert!(min <= max, "MinActive is above MaxActive");
			assert!(max <= T::MaxCandidates::get(), "MaxActive is above MaxCandidates");
			assert!(!T::MinBond::get().is_zero(), "a masternode needs something at stake");
			assert!(!T::SessionLength::get().is_zero(), "a session needs a block");
			let sessions = BlockNumberFor::<T>::from(T::ReportSessions::get().saturating_add(2));
			assert!(
				T::UnbondingPeriod::get() >= T::SessionLength::get().saturating_mul(sessions),
				"a bond would be free while its owner's offences can still be reported: \
				UnbondingPeriod must be at least ReportSessions + 2 sessions",
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Bonds `bond` and becomes a masternode, active from the session after the next one on if
		/// the bond is high enough.
		///
		/// - `origin`: signed by an account that has registered session keys.
		/// - `bond`: what is at stake, at least `MinBond`. If there is no place, more than the
		///   lowest bond, whose owner makes room.
		/// - `key`: the X25519 public key to which key shares are sealed.
		/// - `address`: where workers reach the masternode: a URL or a multiaddress.
		#[pallet::call_index(0)]
		pub fn join(
			origin: OriginFor<T>,
			#[pallet::compact] bond: BalanceOf<T>,
			key: EncryptionKey,
			address: ServiceAddress,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_join(who, bond, key, address)
		}

		/// Adds to the bond, and so moves up in the ranking.
		///
		/// - `origin`: signed by a masternode.
		/// - `amount`: how much is added.
		#[pallet::call_index(1)]
		pub fn bond_more(
			origin: OriginFor<T>,
			#[pallet::compact] amount: BalanceOf<T>,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_bond_more(who, amount)
		}

		/// Replaces the key and the address.
		///
		/// - `origin`: signed by a masternode.
		/// - `key`: the X25519 public key to which key shares are sealed.
		/// - `address`: where workers reach the masternode: a URL or a multiaddress.
		#[pallet::call_index(2)]
		pub fn update(
			origin: OriginFor<T>,
			key: EncryptionKey,
			address: ServiceAddress,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_update(who, key, address)
		}

		/// Ceases to be a masternode. The bond can be withdrawn after `UnbondingPeriod` blocks and
		/// slashed until then; sessions that are planned already are still to be served.
		///
		/// - `origin`: signed by a masternode.
		#[pallet::call_index(3)]
		pub fn leave(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_leave(who)
		}

		/// Gives a bond that is due back to its owner.
		///
		/// - `origin`: signed by anyone.
		/// - `who`: whose bond it is.
		#[pallet::call_index(4)]
		pub fn withdraw(origin: OriginFor<T>, who: T::AccountId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_withdraw(who)
		}

		/// Sets how many masternodes are active, for the sessions that are not planned yet.
		///
		/// - `origin`: [`Config::AdminOrigin`].
		/// - `count`: from `MinActive` to `MaxActive`.
		#[pallet::call_index(5)]
		pub fn set_active_count(origin: OriginFor<T>, count: u32) -> DispatchResult {
			T::AdminOrigin::ensure_origin(origin)?;
			Self::do_set_active_count(count)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// All bonded masternodes, highest bond first.
		pub fn masternodes() -> Vec<MasternodeView<T::AccountId, BalanceOf<T>>> {
			let ranking = Ranking::<T>::get();
			ranking.into_iter().filter_map(|(_, who)| Self::candidate(who)).collect()
		}

		/// A bonded masternode. `None`: the account is none.
		pub fn candidate(
			account: T::AccountId,
		) -> Option<MasternodeView<T::AccountId, BalanceOf<T>>> {
			let Candidate { bond, key, address } = Candidates::<T>::get(&account)?;
			let active = <T::Session as ValidatorSet<_>>::validators().contains(&account);
			let authored = Authored::<T>::get(&account);
			Some(MasternodeView { account, bond, key, address, active, authored })
		}

		/// What of the account is unbonding. `None`: nothing.
		pub fn unbonding(account: T::AccountId) -> Option<UnbondingOf<T>> {
			Unbonding::<T>::get(account)
		}

		/// What would be divided if the session ended now.
		pub fn pot_balance() -> BalanceOf<T> {
			Self::divisible()
		}

		/// How many masternodes are to be active.
		pub fn active_count() -> u32 {
			ActiveCount::<T>::get()
		}
	}
}
