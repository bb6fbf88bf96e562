//! Sets the scene for the benchmarks of pallets that meet others at traits.

use dgcs_primitives::{
	api::{Capacity, TaskState},
	ContentCodec, ContentId, EncryptionKey, Kinds, Payout, Selection, SubtaskLimits, TaskId,
	TaskKind, TaskSpec, Visibility, Workers as _, MAX_PPLNS_WINDOW, MAX_REPLICAS,
};
use frame_benchmarking::account;
use frame_support::traits::fungible::Mutate;
use sp_core::H256;

use crate::{
	constants::{DGC, HOURS, MICRO},
	AccountId, Balance, Balances, Runtime, RuntimeOrigin, Tasks, Workers,
};

impl frame_system_benchmarking::Config for Runtime {}
impl frame_benchmarking::baseline::Config for Runtime {}

const PURSE: Balance = 1_000_000_000 * DGC;

/// The helper of every pallet that wants one.
pub struct Helper;

fn rich(account: &AccountId) {
	Balances::set_balance(account, PURSE);
}

fn register(worker: &AccountId, operator: &AccountId, slots: u16) {
	rich(worker);
	rich(operator);
	let registered = Workers::register(
		RuntimeOrigin::signed(worker.clone()),
		operator.clone(),
		EncryptionKey(H256::repeat_byte(1)),
		Capacity { slots, memory_mib: 4096 },
		Kinds::from(TaskKind::Compute),
	);
	assert_eq!(registered, Ok(()), "a new account with money can register");
}

impl pallet_tasks::BenchmarkHelper<AccountId> for Helper {
	fn fund(account: &AccountId) {
		rich(account);
	}

	fn add_worker(worker: &AccountId, slots: u16) {
		register(worker, worker, slots);
	}
}

impl pallet_verdicts::benchmarking::BenchmarkHelper<AccountId> for Helper {
	fn task() -> TaskId {
		let owner: AccountId = account("owner", 0, 0);
		rich(&owner);
		let task = TaskId(pallet_tasks::NextTaskId::<Runtime>::get());
		let spec = TaskSpec {
			kind: TaskKind::Compute,
			manifest: ContentId { codec: ContentCodec::Raw, digest: H256::zero() },
			input_root: H256::zero(),
			subtasks: 6_400,
			range_size: 64,
			replicas: 3,
			max_replicas: MAX_REPLICAS,
			reward: MICRO,
			limits: SubtaskLimits { time_ms: 1, memory_mib: 1, fuel: 1 },
			queue_timeout: HOURS,
			run_timeout: HOURS,
			selection: Selection::Any,
			payout: Payout::Pplns { window: MAX_PPLNS_WINDOW },
			visibility: Visibility::Public,
			keep_solution: true,
		};
		let submitted = Tasks::submit(RuntimeOrigin::signed(owner), spec);
		assert_eq!(submitted, Ok(()), "the owner has money enough");
		pallet_tasks::Tasks::<Runtime>::mutate(task, |task| {
			if let Some(task) = task {
				task.state = TaskState::Running;
			}
		});
		task
	}

	fn worker(index: u32) -> (AccountId, AccountId) {
		let (worker, operator) = (account("worker", index, 0), account("operator", index, 0));
		register(&worker, &operator, 64);
		assert_eq!(Workers::occupy(&worker), Ok(()), "a new worker has free slots");
		(worker, operator)
	}
}
