//! What each call and each step of a hook costs at the worst.

#![allow(missing_docs, clippy::unwrap_used)]

use dgcs_primitives::{
	api::{TaskState, MAX_SLOTS_PER_ASK},
	ContentCodec, ContentId, Payout, RangeIndex, Refusal, Selection, SubtaskLimits, TaskId,
	TaskKind, TaskSpec, Visibility, Workers,
};
use frame_benchmarking::v2::*;
use frame_support::{traits::Get, weights::WeightMeter};
use frame_system::RawOrigin;
use sp_runtime::traits::Saturating;

use crate::{
	class::Classes,
	pallet::*,
	types::{Cursor, OpenRange, Span, MAX_PROBES, WINDOW},
	weights::WeightInfo,
};

/// Sets the scene for this pallet's benchmarks.
pub trait BenchmarkHelper<AccountId> {
	/// Gives the account as much money as any task may cost.
	fn fund(account: &AccountId);

	/// Registers the account as a worker in good standing that serves computing tasks with so
	/// many free slots, and is its own operator.
	fn add_worker(worker: &AccountId, slots: u16);
}

const SEED: u32 = 0;

fn spec<T: Config>(reward: T::Balance) -> TaskSpec<T::Balance> {
	TaskSpec {
		kind: TaskKind::Compute,
		manifest: ContentId { codec: ContentCodec::DagPb, digest: [1u8; 32].into() },
		input_root: [2u8; 32].into(),
		subtasks: 64 * MAX_PROBES,
		range_size: 64,
		replicas: 3,
		max_replicas: 15,
		reward,
		limits: SubtaskLimits { time_ms: 1, memory_mib: 64, fuel: 1 },
		queue_timeout: T::MaxQueueTimeout::get(),
		run_timeout: T::MaxRunTimeout::get(),
		selection: Selection::Any,
		payout: Payout::Pplns { window: 32 },
		visibility: Visibility::Public,
		keep_solution: true,
	}
}

fn owner<T: Config>() -> T::AccountId {
	let owner = account("owner", 0, SEED);
	T::BenchmarkHelper::fund(&owner);
	owner
}

fn worker<T: Config>() -> T::AccountId {
	let worker = account("worker", 0, SEED);
	T::BenchmarkHelper::add_worker(&worker, MAX_SLOTS_PER_ASK);
	worker
}

fn submit<T: Config>(owner: &T::AccountId, reward: T::Balance) -> TaskId {
	let id = TaskId(NextTaskId::<T>::get());
	Pallet::<T>::do_submit(owner.clone(), spec::<T>(reward)).unwrap();
	id
}

/// A task with one before it and one after it in its bucket.
fn task_in_the_middle<T: Config>(owner: &T::AccountId) -> TaskId {
	submit::<T>(owner, T::MinReward::get());
	let id = submit::<T>(owner, T::MinReward::get());
	submit::<T>(owner, T::MinReward::get());
	id
}

/// Leases the next range of the window, from its first entry on.
fn lease<T: Config>(id: TaskId, worker: &T::AccountId) {
	let offer = T::Workers::offer(worker).unwrap();
	Pallet::<T>::visit(id, worker, &offer, &[0; 8]).0.unwrap();
}

fn waiting(range: u32) -> OpenRange {
	OpenRange { range: RangeIndex(range), seats: 1, fresh: false }
}

fn pass_due<T: Config>(id: TaskId) {
	let due = Tasks::<T>::get(id).unwrap().due;
	frame_system::Pallet::<T>::set_block_number(due.into());
}

#[benchmarks]
mod benches {
	use super::*;

	#[benchmark]
	fn submit() {
		let caller = owner::<T>();
		task_in_the_middle::<T>(&caller);

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), spec::<T>(T::MinReward::get()));

		assert!(Tasks::<T>::contains_key(TaskId(3)));
	}

	#[benchmark]
	fn fund() {
		let caller = owner::<T>();
		let id = task_in_the_middle::<T>(&caller);
		let twice = T::MinReward::get().saturating_mul(2u32.into());
		super::submit::<T>(&caller, twice);
		let funder = account("funder", 0, SEED);
		T::BenchmarkHelper::fund(&funder);
		let amount = Tasks::<T>::get(id).unwrap().deposited;

		#[extrinsic_call]
		_(RawOrigin::Signed(funder), id, amount);

		assert_eq!(Places::<T>::get(id).unwrap().lane.bucket, 1);
	}

	#[benchmark]
	fn cancel_queued() {
		let caller = owner::<T>();
		let id = task_in_the_middle::<T>(&caller);

		#[extrinsic_call]
		cancel(RawOrigin::Signed(caller), id);

		assert!(Settlements::<T>::contains_key(id));
	}

	#[benchmark]
	fn cancel_running() {
		let caller = owner::<T>();
		let id = task_in_the_middle::<T>(&caller);
		lease::<T>(id, &worker::<T>());
		// A full backlog refills what is withdrawn.
		for _ in 0..WINDOW {
			Tasks::<T>::mutate_extant(id, |task| {
				let index = task.backlog.push();
				Backlog::<T>::insert(id, index, waiting(index));
			});
		}

		#[extrinsic_call]
		cancel(RawOrigin::Signed(caller), id);

		assert_eq!(Tasks::<T>::get(id).unwrap().state, TaskState::Cancelling);
	}

	#[benchmark]
	fn take() {
		let caller = worker::<T>();

		#[extrinsic_call]
		_(RawOrigin::Signed(caller.clone()), MAX_SLOTS_PER_ASK);

		assert!(Asking::<T>::contains_key(caller));
	}

	#[benchmark]
	fn settle() {
		let caller = owner::<T>();
		let id = task_in_the_middle::<T>(&caller);
		lease::<T>(id, &worker::<T>());
		let index = Tasks::<T>::mutate_extant(id, |task| task.backlog.push());
		Backlog::<T>::insert(id, index, waiting(0));
		pass_due::<T>(id);

		#[extrinsic_call]
		_(RawOrigin::Signed(caller), id);

		assert!(Leftovers::<T>::contains_key(id));
	}

	/// A line whose first ask is not served yet.
	#[benchmark]
	fn draw_base() {
		let worker = worker::<T>();
		Pallet::<T>::do_take(worker.clone(), 1).unwrap();
		let mut meter = WeightMeter::new();

		#[block]
		{
			Pallet::<T>::do_poll(&mut meter);
		}

		assert!(Asking::<T>::contains_key(worker));
	}

	/// An ask that finds the queue empty.
	#[benchmark]
	fn draw_ask() {
		let worker = worker::<T>();
		Pallet::<T>::do_take(worker.clone(), 1).unwrap();
		let mut line = Line::<T>::get();
		let known = Pallet::<T>::now().saturating_add(2);
		let mut meter = WeightMeter::new();

		#[block]
		{
			Pallet::<T>::serve_first(&mut line, Default::default(), known, &mut meter);
		}

		assert!(line.is_empty() && !Asking::<T>::contains_key(worker));
	}

	/// A walk that meets no task, since all that wait are of other classes.
	#[benchmark]
	fn draw_end() {
		let _id = task_in_the_middle::<T>(&owner::<T>());
		let worker = worker::<T>();
		let mut offer = T::Workers::offer(&worker).unwrap();
		offer.memory_mib = 0;
		let open = Classes::open_to(&offer);
		let mut cursor = Cursor::begin(None, 0);
		let (met, reason);

		#[block]
		{
			met = Pallet::<T>::look(&mut cursor, open);
			reason = Waiting::<T>::get().all_classes().without(open).refusal(&offer);
		}

		assert_eq!((met, reason), (None, Refusal::NotEnoughMemory));
	}

	/// A task of which nothing can be leased any more before its deadline.
	#[benchmark]
	fn draw_late() {
		let id = task_in_the_middle::<T>(&owner::<T>());
		let worker = worker::<T>();
		lease::<T>(id, &worker);
		pass_due::<T>(id);
		let offer = T::Workers::offer(&worker).unwrap();
		let open = Classes::open_to(&offer);
		let mut cursor = Cursor::begin(None, 0);
		let probes;

		#[block]
		{
			let _first = Pallet::<T>::look(&mut cursor, open);
			probes = Pallet::<T>::visit(id, &worker, &offer, &[0; 8]).1;
		}

		assert_eq!(probes, 0);
		assert!(!Pallet::<T>::is_queued(id));
	}

	/// A task of whose window `p` entries are tried; the last one is leased.
	#[benchmark]
	fn draw_visit(p: Linear<1, MAX_PROBES>) {
		let id = task_in_the_middle::<T>(&owner::<T>());
		let worker = worker::<T>();
		for _ in 1..p {
			lease::<T>(id, &worker);
		}
		let offer = T::Workers::offer(&worker).unwrap();
		let open = Classes::open_to(&offer);
		let mut cursor = Cursor::begin(None, 0);
		let probes;

		#[block]
		{
			let _first = Pallet::<T>::look(&mut cursor, open);
			probes = Pallet::<T>::visit(id, &worker, &offer, &[0; 8]).1;
		}

		assert_eq!(probes, p);
	}

	#[benchmark]
	fn idle_base() {
		AgendaCursor::<T>::put(Pallet::<T>::now());
		let mut meter = WeightMeter::with_limit(T::WeightInfo::idle_base());

		#[block]
		{
			Pallet::<T>::do_idle(&mut meter);
		}
	}

	/// A block in which nothing is due.
	#[benchmark]
	fn agenda_block() {
		let id = super::submit::<T>(&owner::<T>(), T::MinReward::get());
		let now = frame_system::Pallet::<T>::block_number();
		AgendaCursor::<T>::put(Pallet::<T>::now());
		frame_system::Pallet::<T>::set_block_number(now.saturating_add(1u32.into()));
		let limit = T::WeightInfo::agenda_block().saturating_add(T::WeightInfo::agenda_settle());
		let mut meter = WeightMeter::with_limit(limit);

		#[block]
		{
			Pallet::<T>::settle_due(&mut meter);
		}

		assert!(Tasks::<T>::contains_key(id));
	}

	#[benchmark]
	fn agenda_settle() {
		let id = task_in_the_middle::<T>(&owner::<T>());
		lease::<T>(id, &worker::<T>());
		let index = Tasks::<T>::mutate_extant(id, |task| task.backlog.push());
		Backlog::<T>::insert(id, index, waiting(0));
		pass_due::<T>(id);

		#[block]
		{
			Pallet::<T>::settle_or_postpone(id, Pallet::<T>::now());
		}

		assert!(Settlements::<T>::contains_key(id));
	}

	#[benchmark]
	fn drop_leftover() {
		let id = TaskId(0);
		Backlog::<T>::insert(id, 0, waiting(0));
		Leftovers::<T>::insert(id, Span { head: 0, tail: 1 });
		let mut meter = WeightMeter::with_limit(T::WeightInfo::drop_leftover());

		#[block]
		{
			Pallet::<T>::clear_leftovers(&mut meter);
		}

		assert_eq!(Leftovers::<T>::iter().count(), 0);
	}

	impl_benchmark_test_suite!(
		Pallet,
		crate::mock::ExtBuilder::default().build(),
		crate::mock::Test
	);
}
