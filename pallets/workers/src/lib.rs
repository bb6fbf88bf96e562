#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod conduct;
#[cfg(test)]
mod mock;
mod registration;
pub mod reputation;
mod service;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", feature = "std"))]
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::{Fault, Former, Reason, Worker};
pub use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::workers";

#[frame_support::pallet]
#[allow(missing_debug_implementations)] // The storage types are generated.
pub mod pallet {
	use dgcs_primitives::{
		api::{Capacity, WorkerView},
		EncryptionKey, Kinds, Refusal,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{fungible, OnUnbalanced},
	};
	use frame_system::pallet_prelude::*;
	use sp_runtime::{traits::Zero, Perbill, Permill};

	use super::{Fault, Reason, WeightInfo, Worker};

	/// The type of the pallet's amounts.
	pub type BalanceOf<T> = <<T as Config>::Currency as fungible::Inspect<
		<T as frame_system::Config>::AccountId,
	>>::Balance;
	/// Money taken from a bond.
	pub type CreditOf<T> =
		fungible::Credit<<T as frame_system::Config>::AccountId, <T as Config>::Currency>;
	/// A worker of this runtime.
	pub type WorkerOf<T> = Worker<<T as frame_system::Config>::AccountId, BalanceOf<T>>;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// The money that bonds are of.
		type Currency: fungible::MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ fungible::BalancedHold<Self::AccountId>;

		/// All hold reasons of the runtime.
		type RuntimeHoldReason: From<HoldReason>;

		/// Takes what is slashed.
		type Slashed: OnUnbalanced<CreditOf<Self>>;

		/// The bond for each slot.
		#[pallet::constant]
		type Bond: Get<BalanceOf<Self>>;

		/// Most slots that one worker may offer.
		#[pallet::constant]
		type MaxSlots: Get<u16>;

		/// Leases that each slot may have: that on the range which it computes, and those on the
		/// next ones, so that it need not stand still until one is drawn, final, and has its keys.
		#[pallet::constant]
		type LeasesPerSlot: Get<u16>;

		/// How many blocks a bond still answers for work that is done. Longer than a vote may
		/// take from a worker's commitment on, all its rounds included.
		#[pallet::constant]
		type UnbondingPeriod: Get<u32>;

		/// How many blocks a suspension lasts at least.
		#[pallet::constant]
		type SuspensionPeriod: Get<u32>;

		/// What a wrong or withheld result costs, of the bond for all slots.
		#[pallet::constant]
		type WrongSlash: Get<Perbill>;

		/// What a lease costs that lapses in silence, of the bond for its slot.
		#[pallet::constant]
		type SilentSlash: Get<Perbill>;

		/// What a lease costs that lapses while its worker is offline, of the bond for its slot.
		#[pallet::constant]
		type OfflineSlash: Get<Perbill>;

		/// The share of the required bond without which a worker gets no work.
		#[pallet::constant]
		type MinBondShare: Get<Perbill>;

		/// How many good results in a row make a worker proven.
		#[pallet::constant]
		type ProvenRun: Get<u32>;

		/// The weights of the calls.
		type WeightInfo: WeightInfo;
	}

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// What a worker has at stake.
		Bond,
	}

	/// The registered workers, one value for all that any action needs. Accounts are chosen by
	/// users, hence the cryptographic hasher.
	#[pallet::storage]
	pub type Workers<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, WorkerOf<T>>;

	/// Accounts that may never register again, and the block in which that was decided. Entries
	/// stay for good; each was paid for with a part of a bond.
	#[pallet::storage]
	pub type Blacklist<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, dgcs_primitives::BlockNumber>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A worker has registered.
		Registered {
			/// The worker.
			worker: T::AccountId,
			/// Who runs it.
			operator: T::AccountId,
			/// What it offers.
			capacity: Capacity,
			/// The kinds that it serves.
			kinds: Kinds,
			/// What it has at stake.
			bond: BalanceOf<T>,
		},
		/// A worker has changed what it offers.
		Updated {
			/// The worker.
			worker: T::AccountId,
			/// Who runs it.
			operator: T::AccountId,
			/// What it offers.
			capacity: Capacity,
			/// The kinds that it serves.
			kinds: Kinds,
			/// What it has at stake.
			bond: BalanceOf<T>,
		},
		/// A worker has refilled its bond.
		Replenished {
			/// The worker.
			worker: T::AccountId,
			/// What was added.
			amount: BalanceOf<T>,
		},
		/// A worker failed; its score has fallen.
		Faulted {
			/// The worker.
			worker: T::AccountId,
			/// What it did.
			fault: Fault,
			/// The score on the track that this counts on. 100 % is best.
			score: Permill,
		},
		/// A worker has lost a part of its bond.
		Slashed {
			/// The worker.
			worker: T::AccountId,
			/// What was taken.
			amount: BalanceOf<T>,
			/// What it did.
			fault: Fault,
		},
		/// A worker gets no new work for a while. It may resume from block `until` on, with its
		/// bond complete.
		Suspended {
			/// The worker.
			worker: T::AccountId,
			/// The first block in which it may resume.
			until: dgcs_primitives::BlockNumber,
			/// Why.
			reason: Reason,
		},
		/// A worker gets work no more, and its account may never register again.
		Blacklisted {
			/// The worker.
			worker: T::AccountId,
		},
		/// A worker is back from its suspension, or has changed its mind about leaving.
		Resumed {
			/// The worker.
			worker: T::AccountId,
		},
		/// A worker is leaving and gets no new work, or the end of that has moved because it
		/// finished a lease.
		Leaving {
			/// The worker.
			worker: T::AccountId,
			/// From when on its bond may be withdrawn.
			due: dgcs_primitives::BlockNumber,
		},
		/// A worker is gone.
		Left {
			/// The account that was a worker.
			worker: T::AccountId,
			/// What was left of its bond.
			released: BalanceOf<T>,
		},
		/// The bond of slots that a worker gave up is free.
		Released {
			/// The worker.
			worker: T::AccountId,
			/// What was released.
			amount: BalanceOf<T>,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The account is no worker: register first.
		NotRegistered,
		/// The account is a worker already: update it instead.
		AlreadyRegistered,
		/// The account is blacklisted for wrong results. Another account may register.
		Blacklisted,
		/// The key is all zeros: give the X25519 public key of the worker.
		DegenerateKey,
		/// The slots are not between 1 and the constant `MaxSlots`.
		InvalidSlots,
		/// The memory is zero: say how many MiB each slot has.
		InvalidMemory,
		/// The kinds are none, or hold bits that name no kind.
		InvalidKinds,
		/// The worker has more leases than so many slots may have: wait until they are over.
		Busy,
		/// The worker is leaving: resume first, or wait and withdraw.
		Leaving,
		/// Nothing is missing from the bond.
		BondComplete,
		/// A part of the bond is missing: replenish first.
		BondIncomplete,
		/// The suspension is not over yet: its last block is in the worker's standing.
		StillSuspended,
		/// The worker is neither suspended nor leaving: there is nothing to resume from.
		InGoodStanding,
		/// The worker is neither leaving nor has it given up slots.
		NothingToWithdraw,
		/// The bond still answers for work that is done: wait for the block that was named.
		NotDue,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn integrity_test() {
			assert!(!T::Bond::get().is_zero(), "workers without a bond have nothing to lose");
			assert!(T::MaxSlots::get() > 0, "no worker could register");
			assert!(T::LeasesPerSlot::get() > 0, "no worker could work");
			assert!(
				T::MaxSlots::get().checked_mul(T::LeasesPerSlot::get()).is_some(),
				"leases of the largest worker could not be counted"
			);
			assert!(T::ProvenRun::get() > 0, "every newcomer would be proven");
			assert!(
				T::UnbondingPeriod::get() >= T::SuspensionPeriod::get(),
				"leaving and registering afresh would be the way round a suspension"
			);
			assert!(
				T::WrongSlash::get() >= T::SilentSlash::get()
					&& T::SilentSlash::get() >= T::OfflineSlash::get(),
				"the worse the fault, the more it must cost"
			);
			assert!(!T::WrongSlash::get().is_zero(), "a wrong result must cost something");
			// Else a single fault would suspend a worker whose score bears it.
			assert!(
				Perbill::one() - T::WrongSlash::get() >= T::MinBondShare::get(),
				"a full bond must bear one wrong result"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Registers the sender as a worker and holds its bond, which is the constant `Bond` for
		/// each slot.
		///
		/// - `origin`: Must be signed by the worker's account.
		/// - `operator`: Who runs the worker: its rewards go there, and two replicas of a range
		///   never go to workers of one operator. It may be the worker's own account.
		/// - `key`: The X25519 key that range keys are sealed to.
		/// - `capacity`: How many ranges the worker computes at the same time, and the memory for
		///   each.
		/// - `kinds`: The kinds of task that it serves.
		#[pallet::call_index(0)]
		pub fn register(
			origin: OriginFor<T>,
			operator: T::AccountId,
			key: EncryptionKey,
			capacity: Capacity,
			kinds: Kinds,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_register(who, operator, key, capacity, kinds)
		}

		/// Changes what the worker said at registration. More slots take more bond at once; the
		/// bond of fewer slots is free after the constant `UnbondingPeriod`.
		///
		/// - `origin`: Must be signed by the worker's account.
		/// - `operator`: Who runs the worker from now on.
		/// - `key`: The key that range keys are sealed to from now on.
		/// - `capacity`: What it offers from now on, at least as many slots as are taken.
		/// - `kinds`: The kinds of task that it serves from now on.
		#[pallet::call_index(1)]
		pub fn update(
			origin: OriginFor<T>,
			operator: T::AccountId,
			key: EncryptionKey,
			capacity: Capacity,
			kinds: Kinds,
		) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_update(who, operator, key, capacity, kinds)
		}

		/// Refills the bond after slashes, up to what the worker's slots require.
		///
		/// - `origin`: Must be signed by the worker's account.
		#[pallet::call_index(2)]
		pub fn replenish(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_replenish(who)
		}

		/// Comes back to work: from a suspension that is over, or from leaving. Scores stay as
		/// they are, so that the next failure counts.
		///
		/// - `origin`: Must be signed by the worker's account. Its bond must be complete.
		#[pallet::call_index(3)]
		pub fn resume(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_resume(who)
		}

		/// Takes no new work. The bond may be withdrawn after the constant `UnbondingPeriod`,
		/// which begins anew when a lease that is running ends.
		///
		/// - `origin`: Must be signed by the worker's account.
		#[pallet::call_index(4)]
		pub fn leave(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_leave(who)
		}

		/// Releases what is due of a worker's bond: all of it, and the worker is gone, if it has
		/// left; what was held for slots that it gave up otherwise.
		///
		/// - `origin`: Must be signed, by anyone.
		/// - `worker`: The worker, to whose account the money returns.
		#[pallet::call_index(5)]
		pub fn withdraw(origin: OriginFor<T>, worker: T::AccountId) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_withdraw(worker)
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The worker. `None`: not registered.
		pub fn worker(account: T::AccountId) -> Option<WorkerView<T::AccountId, BalanceOf<T>>> {
			Self::view(&account)
		}

		/// The bond that a worker of this capacity needs.
		pub fn bond_required(capacity: Capacity) -> BalanceOf<T> {
			Self::required_bond(capacity.slots)
		}

		/// Whether the account would get work if there were any for it, or why not.
		pub fn can_work(account: T::AccountId) -> Result<(), Refusal> {
			Self::ability(&account)
		}
	}
}
