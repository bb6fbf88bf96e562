//! How a task comes in, and how money is added to it.

use dgcs_primitives::{
	api::{EstimateError, TaskState},
	Escrow, Judge, Price, SpecError, TaskId, TaskSpec, Visibility,
};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{Contains, Get},
};
use sp_runtime::{traits::CheckedAdd, ArithmeticError};

use crate::{
	pallet::{AgendaCursor, Config, Error, Event, NextTaskId, Pallet, Tasks},
	types::{affordable_reward, bucket_of, Span, Task, Window},
	TaskOf,
};

/// Why a specification is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
	/// It breaks a rule that has to do with one field.
	Spec(SpecError),
	/// Its reward is below the chain's least.
	RewardTooLow,
	/// Not even one range can be leased and decided on in its run timeout.
	DeadlineTooShort,
	/// The chain can't decide on so many subtasks in its run timeout.
	TooManySubtasks,
	/// Its price does not fit the balance type.
	PriceOverflow,
}

impl<T: Config> From<Unfit> for Error<T> {
	fn from(unfit: Unfit) -> Self {
		match unfit {
			Unfit::Spec(SpecError::Subtasks) => Error::SubtasksOutOfRange,
			Unfit::Spec(SpecError::RangeSize) => Error::RangeSizeOutOfRange,
			Unfit::Spec(SpecError::Replicas) => Error::BadReplicas,
			Unfit::Spec(SpecError::Reward) | Unfit::RewardTooLow => Error::RewardTooLow,
			Unfit::Spec(SpecError::Limits) => Error::LimitsOutOfRange,
			Unfit::Spec(SpecError::Timeout) => Error::TimeoutOutOfRange,
			Unfit::Spec(SpecError::Window) => Error::WindowOutOfRange,
			Unfit::Spec(SpecError::Kind) => Error::KindNotSupported,
			Unfit::DeadlineTooShort => Error::DeadlineTooShort,
			Unfit::TooManySubtasks => Error::TooManySubtasks,
			Unfit::PriceOverflow => Error::PriceOverflow,
		}
	}
}

impl<T: Config> Pallet<T> {
	/// Checks the specification against its own rules and the chain's, and prices it.
	pub(crate) fn check(spec: &TaskSpec<T::Balance>) -> Result<Price<T::Balance>, Unfit> {
		spec.validate().map_err(Unfit::Spec)?;
		ensure!(spec.reward >= T::MinReward::get(), Unfit::RewardTooLow);
		ensure!(
			spec.queue_timeout <= T::MaxQueueTimeout::get()
				&& spec.run_timeout <= T::MaxRunTimeout::get(),
			Unfit::Spec(SpecError::Timeout)
		);
		ensure!(Self::time_needed(spec) <= spec.run_timeout, Unfit::DeadlineTooShort);
		let decidable = spec.run_timeout.saturating_mul(T::MaxDecidedPerBlock::get());
		ensure!(spec.subtasks <= decidable, Unfit::TooManySubtasks);
		ensure!(T::Kinds::contains(&spec.kind), Unfit::Spec(SpecError::Kind));
		Price::of(spec, T::Escrow::masternode_share()).ok_or(Unfit::PriceOverflow)
	}

	/// What a task would cost.
	pub(crate) fn do_estimate(
		spec: &TaskSpec<T::Balance>,
	) -> Result<Price<T::Balance>, EstimateError> {
		Self::check(spec).map_err(|unfit| {
			EstimateError::Invalid(match unfit {
				Unfit::Spec(error) => error,
				Unfit::RewardTooLow => SpecError::Reward,
				Unfit::DeadlineTooShort => SpecError::Timeout,
				Unfit::TooManySubtasks => SpecError::Subtasks,
				Unfit::PriceOverflow => return EstimateError::Overflow,
			})
		})
	}

	/// Registers the task and holds its whole price: both or neither.
	pub(crate) fn do_submit(owner: T::AccountId, spec: TaskSpec<T::Balance>) -> DispatchResult {
		let price = Self::check(&spec).map_err(Error::<T>::from)?;
		let deposited = price.total();
		let id = TaskId(NextTaskId::<T>::get());
		let next = id.0.checked_add(1).ok_or(ArithmeticError::Overflow)?;
		T::Escrow::open(id, &owner, deposited, spec.payout)?;
		T::Judge::open(id, spec.subtasks);
		NextTaskId::<T>::put(next);

		let due = Self::now().saturating_add(spec.queue_timeout);
		let mut task: TaskOf<T> = Task {
			owner: owner.clone(),
			reward: spec.reward,
			spec,
			state: TaskState::Queued,
			due,
			deposited,
			issued: 0,
			begun: 0,
			backlog: Span::default(),
			finished: false,
		};
		let mut window = Window::default();
		Self::refill(id, &mut task, &mut window);
		Self::put_window(id, window);
		Self::enqueue_last(id, Self::lane(&task));
		if !AgendaCursor::<T>::exists() {
			AgendaCursor::<T>::put(Self::now());
		}
		Self::note_due(id, due);
		Tasks::<T>::insert(id, task);
		Self::deposit_event(Event::Submitted { task: id, owner, price, due });
		Ok(())
	}

	/// Adds money to a live task and raises its reward by as much as that covers.
	pub(crate) fn do_fund(funder: T::AccountId, id: TaskId, amount: T::Balance) -> DispatchResult {
		let mut task = Tasks::<T>::get(id).ok_or(Error::<T>::UnknownTask)?;
		let public = task.spec.visibility == Visibility::Public;
		ensure!(public || funder == task.owner, Error::<T>::NotPublic);
		ensure!(!Self::is_ending(&task), Error::<T>::AlreadyEnding);
		let deposited = task.deposited.checked_add(&amount).ok_or(Error::<T>::PriceOverflow)?;
		let reward = affordable_reward(deposited, &task.spec, T::Escrow::masternode_share());
		ensure!(reward > task.reward, Error::<T>::TooSmall);
		T::Escrow::add(id, &funder, amount)?;

		let before = Self::lane(&task);
		task.deposited = deposited;
		task.reward = reward;
		let lane = Self::lane(&task);
		if lane != before && Self::is_queued(id) {
			Self::enqueue_last(id, lane);
		}
		Tasks::<T>::insert(id, task);
		Self::deposit_event(Event::Funded { task: id, funder, amount, reward });
		Ok(())
	}

	/// The priority bucket that the task belongs to.
	pub(crate) fn bucket(task: &TaskOf<T>) -> u8 {
		bucket_of(task.reward, T::MinReward::get())
	}

	/// How many blocks a lease on `len` subtasks lasts.
	pub(crate) fn lease_blocks(spec: &TaskSpec<T::Balance>, len: u32) -> u32 {
		let blocks = spec.range_time_ms(len).div_ceil(T::MillisecsPerBlock::get().max(1));
		u32::try_from(blocks).unwrap_or(u32::MAX).saturating_add(T::LeaseSlack::get())
	}

	/// Blocks from a lease on the task's longest range to the verdict on it.
	pub(crate) fn time_needed(spec: &TaskSpec<T::Balance>) -> u32 {
		let longest = spec.range_size.min(spec.subtasks);
		Self::lease_blocks(spec, longest).saturating_add(T::VotePeriod::get())
	}
}
