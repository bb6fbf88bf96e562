#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod agenda;
#[cfg(feature = "runtime-benchmarks")]
pub mod benchmarking;
mod chain;
mod closing;
mod judge;
#[cfg(test)]
mod mock;
mod rounds;
mod step;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", feature = "std"))]
mod try_state;
mod types;
mod votes;
pub mod weights;

pub use dgcs_primitives::range::{Phase, RangeVote, Seat, SeatState, Seats, PARKED};
pub use pallet::*;
pub use types::{Answer, RangeOf, ReceiptOf, ReceiptsOf, MAX_RECEIPTS};
pub use weights::WeightInfo;

pub(crate) const LOG_TARGET: &str = "runtime::verdicts";

// The macro generates types without `Debug`.
#[allow(missing_debug_implementations)]
#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use dgcs_primitives::{
		Commitment, Digests, Escrow, Head, RangeIndex, Round, TaskBook, TaskId, WorkBlock, Workers,
	};
	use frame_support::{pallet_prelude::*, traits::tokens};
	use frame_system::pallet_prelude::*;
	use sp_core::H256;
	use sp_runtime::SaturatedConversion;

	use crate::step::Step;

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	/// What the pallet needs of the runtime.
	#[pallet::config]
	pub trait Config: frame_system::Config<Hash = H256> {
		/// Weights of the calls and of the steps in `on_idle`.
		type WeightInfo: WeightInfo;

		/// Amounts of money.
		type Balance: tokens::Balance;

		/// Who hands out the seats.
		type TaskBook: TaskBook<Self::Balance>;

		/// Who pays for results.
		type Escrow: Escrow<Self::AccountId, Self::Balance>;

		/// Who rates workers and knows where their rewards go.
		type Workers: Workers<Self::AccountId>;

		/// How many blocks there are to reveal, once every seat of a round has committed.
		#[pallet::constant]
		type RevealPeriod: Get<u32>;

		/// Sets the scene for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: crate::benchmarking::BenchmarkHelper<Self::AccountId>;
	}

	/// The head of every live task's work chain. Written once a verdict.
	// Twox here and below: task and range numbers are given by the chain, not chosen by users.
	#[pallet::storage]
	pub type Heads<T> = StorageMap<_, Twox64Concat, TaskId, Head>;

	/// The ranges under vote. Read and written once a vote.
	#[pallet::storage]
	pub type Ranges<T> =
		StorageDoubleMap<_, Twox64Concat, TaskId, Twox64Concat, RangeIndex, RangeOf<T>>;

	/// What was revealed for the ranges under vote, under [`Answer::key`].
	// Identity: the last key is a cryptographic hash.
	#[pallet::storage]
	pub type Answers<T> = StorageNMap<
		_,
		(NMapKey<Twox64Concat, TaskId>, NMapKey<Twox64Concat, RangeIndex>, NMapKey<Identity, H256>),
		Answer,
	>;

	/// The blocks of every live task's work chain.
	#[pallet::storage]
	pub type Blocks<T> = StorageDoubleMap<_, Twox64Concat, TaskId, Twox64Concat, u32, WorkBlock>;

	/// What to look at in which block. A range has one entry, at its [`RangeVote::due`].
	#[pallet::storage]
	pub type Agenda<T> =
		StorageDoubleMap<_, Twox64Concat, u32, Twox64Concat, (TaskId, RangeIndex), ()>;

	/// The first block whose agenda is not done.
	#[pallet::storage]
	pub type AgendaCursor<T> = StorageValue<_, u32, ValueQuery>;

	/// Ended tasks, of which something may be left to delete.
	#[pallet::storage]
	pub type Closing<T> = StorageMap<_, Twox64Concat, TaskId, ()>;

	/// What happened.
	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A worker has computed a range.
		Committed {
			/// The task.
			task: TaskId,
			/// The range within the task.
			range: RangeIndex,
			/// The round of the vote.
			round: Round,
			/// The worker.
			worker: T::AccountId,
		},
		/// Every seat of the round has committed: now each shows what it found.
		RevealStarted {
			/// The task.
			task: TaskId,
			/// The range within the task.
			range: RangeIndex,
			/// The round of the vote.
			round: Round,
			/// The last block in which a reveal counts.
			until: u32,
		},
		/// A worker has shown what it found.
		Revealed {
			/// The task.
			task: TaskId,
			/// The range within the task.
			range: RangeIndex,
			/// The round of the vote.
			round: Round,
			/// The worker.
			worker: T::AccountId,
		},
		/// A worker committed and did not reveal in time.
		Withheld {
			/// The task.
			task: TaskId,
			/// The range within the task.
			range: RangeIndex,
			/// The round of the vote.
			round: Round,
			/// The worker.
			worker: T::AccountId,
		},
		/// A worker let its lease lapse. Its seat is open again.
		Lapsed {
			/// The task.
			task: TaskId,
			/// The range within the task.
			range: RangeIndex,
			/// The round of the vote.
			round: Round,
			/// The worker.
			worker: T::AccountId,
		},
		/// No majority for some subtasks: one more replica computes them.
		RoundOpened {
			/// The task.
			task: TaskId,
			/// The range within the task.
			range: RangeIndex,
			/// The new round.
			round: Round,
			/// The subtasks that are computed again, as bits.
			open: u64,
		},
		/// The work chain has a new block.
		Decided {
			/// The task.
			task: TaskId,
			/// The range within the task.
			range: RangeIndex,
			/// The round that decided.
			round: Round,
			/// The block's place in the chain.
			index: u32,
			/// The block's hash.
			hash: H256,
			/// Subtasks that it gives a digest.
			agreed: u32,
			/// Subtasks that it gives up.
			failed: u32,
			/// Who did what, and who was paid: the leaves of the block's receipts root.
			receipts: ReceiptsOf<T>,
		},
	}

	/// Why a call is refused.
	#[pallet::error]
	pub enum Error<T> {
		/// Nobody votes on this range: not yet leased, or decided. Check task and range.
		UnknownRange,
		/// The task has ended. Drop all work on it.
		Closed,
		/// The account has no seat on this range. Ask for work first, or sign as the worker.
		NoSeat,
		/// The worker has committed already. Wait for the reveal.
		AlreadyCommitted,
		/// The lease is over. Drop the range and ask for other work.
		LeaseOver,
		/// Not every seat has committed. Wait for `RevealStarted`.
		TooEarly,
		/// The time to reveal is over.
		RevealOver,
		/// There is nothing to reveal without a commitment. Commit first.
		NotCommitted,
		/// Not one digest for each open subtask. Read the range's open mask.
		WrongLength,
		/// Digests and salt are not what was committed to. Check round, order and salt.
		CommitmentMismatch,
		/// The worker has revealed already.
		AlreadyRevealed,
		/// Nothing of this range is overdue.
		NotDue,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_idle(now: BlockNumberFor<T>, limit: Weight) -> Weight {
			Self::do_idle(now.saturated_into(), limit)
		}

		fn integrity_test() {
			assert!(T::RevealPeriod::get() > 0, "nobody could reveal");
			let most = T::BlockWeights::get().max_block;
			assert!(Step::worst_weight::<T>().all_lte(most), "a step must fit in a block");
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Commit to the results of a range, before anybody shows any.
		///
		/// - `origin`: Must be signed by a worker with a lease on the range. Free for it.
		/// - `task`: The task.
		/// - `range`: The range within the task.
		/// - `commitment`: [`dgcs_primitives::Ballot::commitment`] of digests and salt.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::commit())]
		#[pallet::feeless_if(
			|origin: &OriginFor<T>, task: &TaskId, range: &RangeIndex, _: &Commitment| -> bool {
				Pallet::<T>::owes_commit(origin, *task, *range)
			}
		)]
		pub fn commit(
			origin: OriginFor<T>,
			task: TaskId,
			range: RangeIndex,
			commitment: Commitment,
		) -> DispatchResult {
			let worker = ensure_signed(origin)?;
			Self::do_commit(worker, task, range, commitment)
		}

		/// Reveal the results that were committed to. The last reveal of a round counts the votes.
		///
		/// - `origin`: Must be signed by a worker that has committed. Free for it.
		/// - `task`: The task.
		/// - `range`: The range within the task.
		/// - `digests`: One for each subtask that is open in this round, in order.
		/// - `salt`: What hid them until now.
		#[pallet::call_index(1)]
		#[pallet::weight(
			T::WeightInfo::reveal(digests.len() as u32)
				.saturating_add(Step::worst_tally_weight::<T>())
		)]
		#[pallet::feeless_if(
			|origin: &OriginFor<T>,
			 task: &TaskId,
			 range: &RangeIndex,
			 digests: &Digests,
			 salt: &H256|
			 -> bool { Pallet::<T>::owes_reveal(origin, *task, *range, digests, salt) }
		)]
		pub fn reveal(
			origin: OriginFor<T>,
			task: TaskId,
			range: RangeIndex,
			digests: Digests,
			salt: H256,
		) -> DispatchResultWithPostInfo {
			let worker = ensure_signed(origin)?;
			let base = T::WeightInfo::reveal(digests.len() as u32);
			let tallied = Self::do_reveal(worker, task, range, digests, &salt)?;
			let extra = tallied.map_or(Weight::zero(), |step| step.weight::<T>());
			Ok(Some(base.saturating_add(extra)).into())
		}

		/// Do what is overdue for a range: end leases that have lapsed, or a round whose time to
		/// reveal is over. The chain does the same by itself in blocks that have room. Free if
		/// there was something to do.
		///
		/// - `origin`: Must be signed, by anyone.
		/// - `task`: The task.
		/// - `range`: The range within the task.
		#[pallet::call_index(2)]
		#[pallet::weight(
			T::WeightInfo::agenda_entry().saturating_add(Step::worst_weight::<T>())
		)]
		pub fn expire(
			origin: OriginFor<T>,
			task: TaskId,
			range: RangeIndex,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			let done = Self::do_expire(task, range)?.weight::<T>();
			Ok((Some(T::WeightInfo::agenda_entry().saturating_add(done)), Pays::No).into())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The head of a live task's work chain.
		pub fn head(task: TaskId) -> Option<Head> {
			Heads::<T>::get(task)
		}

		/// A range under vote.
		pub fn range(task: TaskId, range: RangeIndex) -> Option<RangeOf<T>> {
			Ranges::<T>::get(task, range)
		}
	}

	impl<T: Config> Pallet<T> {
		/// The current block.
		pub(crate) fn now() -> u32 {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}
	}
}
