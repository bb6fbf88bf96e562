#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod closing;
mod deposits;
mod escrow;
#[cfg(test)]
mod mock;
mod payments;
mod refunds;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", feature = "std"))]
mod try_state;
mod types;
pub mod weights;

pub use pallet::*;
pub use types::{
	BalanceOf, Ledger, LedgerOf, LedgerState, PaymentsOf, QueueEnds, Refunding, Window,
};
pub use weights::WeightInfo;

const LOG_TARGET: &str = "runtime::escrow";

// The storage types that the macro makes have no `Debug`.
#[allow(missing_debug_implementations)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use dgcs_primitives::TaskId;
	use frame_support::{
		pallet_prelude::*,
		traits::fungible::{hold, Inspect, Mutate},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use sp_runtime::{traits::Zero, Perbill};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	/// The pallet.
	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the runtime has to say.
	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// The money.
		type Currency: Mutate<Self::AccountId>
			+ hold::Mutate<Self::AccountId, Reason = Self::RuntimeHoldReason>;

		/// The runtime's hold reasons.
		type RuntimeHoldReason: From<HoldReason>;

		/// What the masternodes get of every reward, on top of it. A task keeps the rate that it
		/// was opened with.
		#[pallet::constant]
		type MasternodeShare: Get<Perbill>;

		/// Where the masternodes' part goes, and what nobody else can receive. Should hold the
		/// existential deposit from genesis on, so that it can always receive.
		#[pallet::constant]
		type Pot: Get<Self::AccountId>;

		/// The least that a contributor has in a task. At least the existential deposit.
		#[pallet::constant]
		type MinContribution: Get<BalanceOf<Self>>;

		/// Most contributors that `on_idle` refunds in one block, however idle the block is.
		#[pallet::constant]
		type RefundsPerBlock: Get<u32>;

		/// The weights of this pallet.
		type WeightInfo: WeightInfo;
	}

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// It pays for the owner's tasks.
		Task,
	}

	/// The ledger of every task whose money is not all gone.
	// `Twox64Concat`: task ids are running numbers, nobody chooses them.
	#[pallet::storage]
	pub type Ledgers<T: Config> = StorageMap<_, Twox64Concat, TaskId, LedgerOf<T>>;

	/// What each contributor has added to a task and has not been refunded for yet. The owner's
	/// own additions are not among them.
	// `Blake2_128Concat`: anyone can make accounts at will.
	#[pallet::storage]
	pub type Contributions<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		TaskId,
		Blake2_128Concat,
		T::AccountId,
		BalanceOf<T>,
		OptionQuery,
	>;

	/// The last credits of every open task that pays by PPLNS, the oldest first.
	#[pallet::storage]
	pub type Windows<T: Config> =
		StorageMap<_, Twox64Concat, TaskId, Window<T::AccountId>, ValueQuery>;

	/// Closed tasks with contributors to refund, by their place in the queue. May name tasks that
	/// are done already.
	#[pallet::storage]
	pub type RefundQueue<T: Config> = StorageMap<_, Twox64Concat, u64, TaskId>;

	/// Where the queue begins and ends. Absent while it is empty.
	#[pallet::storage]
	pub type RefundQueueEnds<T: Config> = StorageValue<_, QueueEnds, ValueQuery>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// Money was put on hold for a new task.
		Opened {
			/// The task.
			task: TaskId,
			/// Whose account it is on hold on.
			owner: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// Money was added to a task.
		Added {
			/// The task.
			task: TaskId,
			/// Who added it: the owner or a contributor.
			funder: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// A payee was paid at a verdict.
		Paid {
			/// The task.
			task: TaskId,
			/// Who got it.
			payee: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
		},
		/// An account could not receive what it should have got.
		Unpayable {
			/// The task.
			task: TaskId,
			/// Who should have got it.
			account: T::AccountId,
			/// How much.
			amount: BalanceOf<T>,
			/// Whether the pot got it instead. If not, it stays with the task's owner: on hold
			/// while the task is open, free afterwards.
			to_pot: bool,
		},
		/// The money of a task was closed: nothing of it can be paid any more.
		Closed {
			/// The task.
			task: TaskId,
			/// What the payees got.
			paid: BalanceOf<T>,
			/// What the pot got, together with what was diverted to it.
			masternodes: BalanceOf<T>,
			/// What goes back to the owner and the contributors.
			refunded: BalanceOf<T>,
		},
		/// The owner or a contributor got its part of what was left.
		Refunded {
			/// The task.
			task: TaskId,
			/// Who got it.
			funder: T::AccountId,
			/// How much. 0 for a contributor whose part is less than one unit.
			amount: BalanceOf<T>,
		},
		/// Everybody has what was due, and the ledger is deleted.
		Emptied {
			/// The task.
			task: TaskId,
		},
	}

	/// Why a request is refused.
	#[pallet::error]
	pub enum Error<T> {
		/// The task has no ledger: it was never opened, or all its money is gone. Check the id.
		UnknownTask,
		/// The task has a ledger already. Use a new task id.
		AlreadyOpen,
		/// The task is closed and its money on the way back. Add to another task.
		Closing,
		/// The task is still open. Refunds begin when it ends.
		StillOpen,
		/// The task holds less than this. Add money to it first.
		Insufficient,
		/// The contribution would be below `MinContribution`. Add more.
		BelowMinimum,
		/// The amount is zero. Name one.
		ZeroAmount,
		/// The PPLNS window is 0 or above `MAX_PPLNS_WINDOW`. Choose another.
		BadWindow,
		/// This account has nothing to get back: it added nothing, or was refunded already.
		NothingToRefund,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(_: BlockNumberFor<T>, limit: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(limit);
			Self::do_drain(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			let minimum = T::MinContribution::get();
			assert!(!minimum.is_zero(), "`MinContribution` bounds the state, so it can't be zero");
			assert!(
				minimum >= T::Currency::minimum_balance(),
				"`MinContribution` must be at least the existential deposit"
			);
			assert!(T::RefundsPerBlock::get() > 0, "`RefundsPerBlock` can't be zero");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Gives a contributor its part of what a closed task left. Free if it paid something.
		///
		/// - `origin`: Must be signed, by anyone: the money goes to `funder` whoever asks.
		/// - `task`: The closed task.
		/// - `funder`: Who contributed to it.
		#[pallet::call_index(0)]
		pub fn refund(
			origin: OriginFor<T>,
			task: TaskId,
			funder: T::AccountId,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let amount = Self::do_refund(task, &funder)?;
			let pays = if amount.is_zero() { Pays::Yes } else { Pays::No };
			Ok(pays.into())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The money of a task. `None`: never opened, or all gone.
		pub fn ledger(task: TaskId) -> Option<LedgerOf<T>> {
			Ledgers::<T>::get(task)
		}

		/// What a contributor has in a task and has not been refunded for yet.
		pub fn contribution(task: TaskId, funder: T::AccountId) -> BalanceOf<T> {
			Contributions::<T>::get(task, funder).unwrap_or_default()
		}
	}
}
