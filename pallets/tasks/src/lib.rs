#![doc = include_str!("../README.md")]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
pub mod class;
mod draw;
mod ending;
#[cfg(test)]
mod mock;
mod queue;
mod submit;
mod task_book;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "try-runtime", feature = "std"))]
mod try_state;
pub mod types;
pub mod weights;
mod window;

#[cfg(feature = "runtime-benchmarks")]
pub use benchmarking::BenchmarkHelper;
pub use pallet::*;
pub use weights::WeightInfo;

pub(crate) const LOG_TARGET: &str = "runtime::tasks";

/// A live task of this chain.
pub type TaskOf<T> =
	types::Task<<T as frame_system::Config>::AccountId, <T as pallet::Config>::Balance>;
/// An ask of this chain.
pub type AskOf<T> = types::Ask<<T as frame_system::Config>::AccountId>;
/// A settlement of this chain.
pub type SettlementOf<T> = dgcs_primitives::Settlement<
	<T as frame_system::Config>::AccountId,
	<T as pallet::Config>::Balance,
>;

#[frame_support::pallet]
// The macro writes a struct without `Debug` for every storage item.
#[allow(missing_debug_implementations)]
pub mod pallet {
	use dgcs_primitives::{
		api::{EstimateError, QueuePosition},
		Escrow, Judge, Price, RangeIndex, Refusal, TaskId, TaskKind, TaskSpec, Workers,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{tokens, Contains, Randomness},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use sp_runtime::Perbill;

	use crate::{
		class::{Lane, Lanes},
		types::{Ends, LineEnds, LineView, OpenRange, Place, Span, Turn, Window},
		AskOf, SettlementOf, TaskOf, WeightInfo,
	};

	const STORAGE_VERSION: StorageVersion = StorageVersion::new(0);

	#[pallet::config]
	pub trait Config: frame_system::Config {
		/// Amounts of money.
		type Balance: tokens::Balance;

		/// The tasks' money.
		type Escrow: Escrow<Self::AccountId, Self::Balance>;

		/// The votes.
		type Judge: Judge<Self::AccountId>;

		/// The workers.
		type Workers: Workers<Self::AccountId>;

		/// What draws ranges. The block that comes with a seed is the one in which it became
		/// known: only asks from before that block are served with it. `None` puts all draws off.
		type Randomness: Randomness<Option<Self::Hash>, BlockNumberFor<Self>>;

		/// The kinds of task that the chain has rules for.
		type Kinds: Contains<TaskKind>;

		/// How long a block takes, in milliseconds.
		#[pallet::constant]
		type MillisecsPerBlock: Get<u64>;

		/// Blocks that every lease lasts beyond the time that its subtasks may take: for getting
		/// keys and data, and for the commitment to reach a block.
		#[pallet::constant]
		type LeaseSlack: Get<u32>;

		/// Blocks that a vote needs after a lease.
		#[pallet::constant]
		type VotePeriod: Get<u32>;

		/// Most blocks that a task may wait for its first lease.
		#[pallet::constant]
		type MaxQueueTimeout: Get<u32>;

		/// Most blocks that a task may take from its first lease on.
		#[pallet::constant]
		type MaxRunTimeout: Get<u32>;

		/// Subtasks that the chain can decide on in a block, at the most. A task that could not be
		/// decided in its run timeout even if it had the chain for itself is refused.
		#[pallet::constant]
		type MaxDecidedPerBlock: Get<u32>;

		/// The least that a result may earn: where the lowest priority bucket begins.
		#[pallet::constant]
		type MinReward: Get<Self::Balance>;

		/// Most asks in the line.
		#[pallet::constant]
		type MaxAsks: Get<u32>;

		/// The most that draws may use of a block.
		#[pallet::constant]
		type DrawShare: Get<Perbill>;

		/// Weights of the calls and of the hooks' steps.
		type WeightInfo: WeightInfo;

		/// Sets the scene for benchmarks.
		#[cfg(feature = "runtime-benchmarks")]
		type BenchmarkHelper: crate::BenchmarkHelper<Self::AccountId>;
	}

	#[pallet::pallet]
	#[pallet::storage_version(STORAGE_VERSION)]
	pub struct Pallet<T>(_);

	// Task ids, block numbers, lanes and positions are given by the chain and can't be chosen:
	// Twox64Concat throughout. Accounts can: Blake2_128Concat.

	/// The id of the next task.
	#[pallet::storage]
	pub type NextTaskId<T: Config> = StorageValue<_, u64, ValueQuery>;

	/// The live tasks.
	#[pallet::storage]
	pub type Tasks<T: Config> = StorageMap<_, Twox64Concat, TaskId, TaskOf<T>>;

	/// What is kept of settled tasks whose owners wanted that.
	#[pallet::storage]
	pub type Settlements<T: Config> = StorageMap<_, Twox64Concat, TaskId, SettlementOf<T>>;

	/// The ends of each lane that is not empty.
	#[pallet::storage]
	pub type Chains<T: Config> = StorageMap<_, Twox64Concat, Lane, Ends>;

	/// The lanes that are not empty.
	#[pallet::storage]
	pub type Waiting<T: Config> = StorageValue<_, Lanes, ValueQuery>;

	/// Where each task with open seats waits.
	#[pallet::storage]
	pub type Places<T: Config> = StorageMap<_, Twox64Concat, TaskId, Place>;

	/// Which bucket comes first when it is not the highest one's turn.
	#[pallet::storage]
	pub type Rotation<T: Config> = StorageValue<_, Turn, ValueQuery>;

	/// The ranges of each task that can be drawn.
	#[pallet::storage]
	pub type Windows<T: Config> = StorageMap<_, Twox64Concat, TaskId, Window, ValueQuery>;

	/// Ranges begun that wait for room in their task's window, by task and running number.
	#[pallet::storage]
	pub type Backlog<T: Config> =
		StorageDoubleMap<_, Twox64Concat, TaskId, Twox64Concat, u32, OpenRange>;

	/// What settled tasks left in the backlog, to be deleted.
	#[pallet::storage]
	pub type Leftovers<T: Config> = StorageMap<_, Twox64Concat, TaskId, Span>;

	/// The line of asks.
	#[pallet::storage]
	pub type Line<T: Config> = StorageValue<_, LineEnds, ValueQuery>;

	/// The asks in the line, by position.
	#[pallet::storage]
	pub type Asks<T: Config> = StorageMap<_, Twox64Concat, u64, AskOf<T>>;

	/// The workers that have an ask in the line.
	#[pallet::storage]
	pub type Asking<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, ()>;

	/// What falls due in which block: one entry for each live task.
	#[pallet::storage]
	pub type Agenda<T: Config> = StorageDoubleMap<_, Twox64Concat, u32, Twox64Concat, TaskId, ()>;

	/// The first block of which the agenda may still have entries.
	#[pallet::storage]
	pub type AgendaCursor<T: Config> = StorageValue<_, u32>;

	#[pallet::event]
	#[pallet::generate_deposit(pub(crate) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A task was submitted, and its price is held.
		Submitted {
			/// The task.
			task: TaskId,
			/// Who submitted it.
			owner: T::AccountId,
			/// What is held.
			price: Price<T::Balance>,
			/// When it expires unless something of it is leased before.
			due: u32,
		},
		/// Money was added to a task.
		Funded {
			/// The task.
			task: TaskId,
			/// Who added it.
			funder: T::AccountId,
			/// How much.
			amount: T::Balance,
			/// What one result earns from now on.
			reward: T::Balance,
		},
		/// A task was cancelled. Ranges begun are still decided.
		Cancelled {
			/// The task.
			task: TaskId,
			/// Subtasks that are not computed any more.
			withdrawn: u32,
		},
		/// A worker joined the line.
		Asked {
			/// The worker.
			worker: T::AccountId,
			/// For how many ranges.
			slots: u16,
		},
		/// A task got its first lease.
		Started {
			/// The task.
			task: TaskId,
			/// When its run timeout ends.
			due: u32,
		},
		/// A range was leased.
		Leased {
			/// The task.
			task: TaskId,
			/// The range.
			range: RangeIndex,
			/// Who computes it.
			worker: T::AccountId,
			/// The block in which the lease ends.
			until: u32,
		},
		/// A worker left the line with work.
		Served {
			/// The worker.
			worker: T::AccountId,
			/// Ranges that it got.
			leased: u16,
		},
		/// A worker left the line without work.
		NothingFound {
			/// The worker.
			worker: T::AccountId,
			/// The most telling reason that was met.
			reason: Refusal,
		},
		/// A task ended, and its money is paid out.
		Settled {
			/// The task.
			task: TaskId,
			/// How it ended.
			settlement: SettlementOf<T>,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// The number of subtasks is 0 or above the limit. Split the task.
		SubtasksOutOfRange,
		/// The range size is 0 or above the limit of 64.
		RangeSizeOutOfRange,
		/// Replicas must be odd and at least 3, and no more than the most replicas, of which there
		/// may be 15.
		BadReplicas,
		/// The reward is below the chain's least. Offer more.
		RewardTooLow,
		/// A limit of the subtask is 0, or its memory is more than WebAssembly can address.
		LimitsOutOfRange,
		/// A timeout is 0 or above the chain's limit.
		TimeoutOutOfRange,
		/// The PPLNS window is below the most replicas, or above 32. Choose one between.
		WindowOutOfRange,
		/// The chain has no rules for tasks of this kind.
		KindNotSupported,
		/// A lease on one range and the vote on it don't fit in the run timeout. Make ranges
		/// smaller or the timeout longer.
		DeadlineTooShort,
		/// The chain can't decide on so many subtasks in the run timeout. Make it longer or split
		/// the task.
		TooManySubtasks,
		/// The price is beyond all money there could be. Offer less.
		PriceOverflow,
		/// No live task has this id: it was never submitted, or it is settled.
		UnknownTask,
		/// The task is private: only its owner adds money.
		NotPublic,
		/// Only the task's owner may do this.
		NotOwner,
		/// The task is cancelled, finished or due. Wait for its settlement.
		AlreadyEnding,
		/// The amount would not raise the reward of a result by one unit. Add more.
		TooSmall,
		/// The task is neither finished nor due. Try again later.
		NotDue,
		/// An ask is for 1 to 64 slots.
		SlotsOutOfRange,
		/// The worker has fewer free slots. Ask for less.
		TooManySlots,
		/// The worker waits in the line already. Wait until it is served.
		AlreadyAsking,
		/// The line is full. Try again in a few blocks.
		LineFull,
		/// The account is no registered worker. Register it first.
		NotRegistered,
		/// The worker is suspended. Resume once the suspension is over.
		Suspended,
		/// The worker is blacklisted and gets no work again.
		Blacklisted,
		/// The worker is leaving and gets no new work.
		Leaving,
		/// All slots of the worker are taken. Finish something first.
		NoFreeSlot,
		/// The worker gets no work for another reason.
		Refused,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		fn on_poll(_now: BlockNumberFor<T>, meter: &mut WeightMeter) {
			Self::do_poll(meter);
		}

		fn on_idle(_now: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::do_idle(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::MillisecsPerBlock::get() > 0, "blocks take time");
			assert!(T::MinReward::get() > Default::default(), "work is paid");
			assert!(T::MaxAsks::get() > 0, "workers can ask");
			assert!(T::MaxDecidedPerBlock::get() > 0, "tasks can be decided");
			assert!(T::MaxQueueTimeout::get() > 0, "tasks can wait");
			assert!(
				T::LeaseSlack::get().saturating_add(T::VotePeriod::get()) < T::MaxRunTimeout::get(),
				"a lease and a vote fit in the longest run"
			);
			let block = <T as frame_system::Config>::BlockWeights::get().max_block;
			let least = T::WeightInfo::draw_base()
				.saturating_add(T::WeightInfo::draw_ask())
				.saturating_add(T::WeightInfo::draw_visit(crate::types::MAX_PROBES));
			assert!(
				(T::DrawShare::get() * block).all_gte(least),
				"the draws' share of a block is enough for one"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_now: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call(weight(<T as Config>::WeightInfo))]
	impl<T: Config> Pallet<T> {
		/// Registers a task and holds its whole price.
		///
		/// - `origin`: Must be signed, by an account that can pay the price. It becomes the owner.
		/// - `spec`: What is asked for.
		#[pallet::call_index(0)]
		pub fn submit(origin: OriginFor<T>, spec: TaskSpec<T::Balance>) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_submit(owner, spec)
		}

		/// Adds money to a live task, which raises the reward of its results from now on.
		///
		/// - `origin`: Must be signed, by the owner or, if the task is public, by anyone.
		/// - `task`: The task.
		/// - `amount`: How much. What the task does not spend comes back at its settlement.
		#[pallet::call_index(1)]
		pub fn fund(
			origin: OriginFor<T>,
			task: TaskId,
			#[pallet::compact] amount: T::Balance,
		) -> DispatchResult {
			let funder = ensure_signed(origin)?;
			Self::do_fund(funder, task, amount)
		}

		/// Cancels a task: what was never leased is withdrawn, what was is decided and paid.
		///
		/// - `origin`: Must be signed by the task's owner.
		/// - `task`: The task.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::cancel_queued().max(T::WeightInfo::cancel_running()))]
		pub fn cancel(origin: OriginFor<T>, task: TaskId) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			let settled = Self::do_cancel(who, task)?;
			let weight = if settled {
				T::WeightInfo::cancel_queued()
			} else {
				T::WeightInfo::cancel_running()
			};
			Ok(Some(weight).into())
		}

		/// Joins the line for work. Ranges are drawn in a later block, by its randomness.
		///
		/// - `origin`: Must be signed by a registered worker in good standing.
		/// - `slots`: For how many ranges: 1 to 64, and no more than it has free slots.
		#[pallet::call_index(3)]
		pub fn take(origin: OriginFor<T>, slots: u16) -> DispatchResult {
			let worker = ensure_signed(origin)?;
			Self::do_take(worker, slots)
		}

		/// Settles a task that is finished or due. Free of charge if it was.
		///
		/// - `origin`: Must be signed, by anyone.
		/// - `task`: The task.
		#[pallet::call_index(4)]
		pub fn settle(origin: OriginFor<T>, task: TaskId) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_settle(task)?;
			Ok(Pays::No.into())
		}
	}

	#[pallet::view_functions]
	impl<T: Config> Pallet<T> {
		/// The live task.
		pub fn task(task: TaskId) -> Option<TaskOf<T>> {
			Tasks::<T>::get(task)
		}

		/// What is kept of the settled task.
		pub fn settlement(task: TaskId) -> Option<SettlementOf<T>> {
			Settlements::<T>::get(task)
		}

		/// Where the task waits. `None`: it has no open seat.
		pub fn queue_position(task: TaskId) -> Option<QueuePosition> {
			Self::find_queue_position(task)
		}

		/// What a task would cost.
		pub fn estimate(spec: TaskSpec<T::Balance>) -> Result<Price<T::Balance>, EstimateError> {
			Self::do_estimate(&spec)
		}

		/// How long the line of asks is.
		pub fn line() -> LineView {
			LineView { waiting: Line::<T>::get().len(), room: T::MaxAsks::get() }
		}

		/// Whether the worker waits in the line.
		pub fn is_asking(worker: T::AccountId) -> bool {
			Asking::<T>::contains_key(worker)
		}

		/// Whether a task waits that asks for no more than the worker offers, or the most telling reason
		/// why none does. An ask costs a fee, also if it ends with that reason.
		pub fn prospects(worker: T::AccountId) -> Result<(), Refusal> {
			Self::find_prospects(&worker)
		}
	}
}
