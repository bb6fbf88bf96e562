//! Every call with every wrong argument that a stranger could send, signed and sent in a block:
//! it is refused with the error that says why, costs its fee, and changes nothing else.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "bad_input/envelope.rs"]
mod envelope;
#[path = "bad_input/escrow.rs"]
mod escrow;
#[path = "bad_input/masternodes.rs"]
mod masternodes;
#[path = "bad_input/tasks.rs"]
mod tasks;
#[path = "bad_input/verdicts.rs"]
mod verdicts;
#[path = "bad_input/workers.rs"]
mod workers;

use std::collections::BTreeSet;

use common::{
	blocks::{apply, events, id, key, next_block, send},
	state,
};
use dgcs_primitives::{
	api::Capacity, Digests, EncryptionKey, Kinds, RangeIndex, ResultDigest, Round, TaskId,
	TaskKind, TaskSpec,
};
use dgcs_runtime::{
	constants::DGC, AccountId, Balance, Balances, Executive, Masternodes, Runtime, RuntimeCall,
	RuntimeEvent, RuntimeOrigin, System, Tasks, UncheckedExtrinsic, Verdicts,
};
use frame_support::{
	storage::{with_transaction, TransactionOutcome},
	traits::GetCallMetadata,
};
use pallet_transaction_payment::Event::TransactionFeePaid;
use sp_core::{sr25519::Pair, H256};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
	transaction_validity::{
		InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
	},
	DispatchError,
};

/// The calls that have a test of their own here, and that test.
macro_rules! covered {
	($($pallet:ident: $($call:ident)*;)*) => {
		[$($((stringify!($pallet), stringify!($call), $pallet::$call as fn()),)*)*]
	};
}

#[test]
fn every_call_of_every_pallet_is_covered() {
	let covered = covered! {
		escrow: refund;
		masternodes: join bond_more update leave withdraw set_active_count;
		tasks: submit fund cancel take settle;
		verdicts: commit reveal expire;
		workers: register update replenish resume leave withdraw;
	};
	let covered: BTreeSet<_> =
		covered.iter().map(|(pallet, call, _)| (pallet.to_string(), call.to_string())).collect();
	assert_eq!(covered, calls());
	let samples = envelope::samples().iter().map(name).collect::<BTreeSet<_>>();
	assert_eq!(samples, calls(), "a call has no sample");
}

/// Pallet and name of every call of ours.
fn calls() -> BTreeSet<(String, String)> {
	let of = |pallet: &'static str| {
		let names = RuntimeCall::get_call_names(pallet).iter();
		names.map(move |call| (pallet.to_lowercase(), call.to_string()))
	};
	state::pallets().into_iter().flat_map(of).collect()
}

/// Pallet and name of a call.
fn name(call: &RuntimeCall) -> (String, String) {
	let data = call.get_call_metadata();
	(data.pallet_name.to_lowercase(), data.function_name.to_string())
}

/// Sends the call, which is refused with `error`, at the sender's cost.
#[track_caller]
fn refused(who: &Pair, call: impl Into<RuntimeCall>, error: impl Into<DispatchError>) {
	let (account, pot, call) = (id(who), Masternodes::pot(), call.into());
	let purses = || (Balances::free_balance(&account), Balances::free_balance(&pot));
	let held = || Balances::reserved_balance(&account);
	let (purse, others) = (purses(), state::beside(&[&account, &pot]));
	let (on_hold, nonce) = (held(), System::account_nonce(&account));

	assert_eq!(send(who, call.clone()), Ok(Err(error.into())), "{call:?}");
	let fee = purse.0 - purses().0;
	assert!(fee > 0, "refused free of charge: {call:?}");
	assert_eq!(purses().1 - purse.1, fee, "the fee is not in the pot: {call:?}");
	assert_eq!(System::account_nonce(&account), nonce + 1);
	assert_eq!(held(), on_hold);
	let changes = state::changes(&others, &state::beside(&[&account, &pot]));
	assert!(changes.is_empty(), "{call:?} was refused and changed {changes:?}");
	state::check_money();
}

/// A transaction that neither the pool nor a block takes.
#[track_caller]
fn rejected(transaction: UncheckedExtrinsic, error: impl Into<TransactionValidityError>) {
	let (before, error, call) = (state::beside(&[]), error.into(), transaction.function.clone());
	// The pool keeps what is too early until its time comes. No block takes it before.
	if error != InvalidTransaction::Future.into() {
		assert_eq!(validity(transaction.clone()), Err(error), "{call:?}");
	}
	assert_eq!(apply(transaction), Err(error), "{call:?}");
	let changes = state::changes(&before, &state::beside(&[]));
	assert!(changes.is_empty(), "{call:?} was rejected and changed {changes:?}");
}

/// What the pool thinks of a transaction.
fn validity(transaction: UncheckedExtrinsic) -> TransactionValidity {
	let parent = System::parent_hash();
	with_transaction(|| {
		let source = TransactionSource::External;
		let validity = Executive::validate_transaction(source, transaction, parent);
		TransactionOutcome::Rollback(Ok::<_, DispatchError>(validity))
	})
	.unwrap()
}

/// Sends the call, which does what it says, and returns its fee.
#[track_caller]
fn accepted(who: &Pair, call: impl Into<RuntimeCall>) -> Balance {
	let (call, before) = (call.into(), System::event_count() as usize);
	assert_eq!(send(who, call.clone()), Ok(Ok(())), "{call:?} of {}", id(who));
	common::check();
	state::check_money();
	let fees = events().into_iter().skip(before).filter_map(|event| match event {
		RuntimeEvent::TransactionPayment(TransactionFeePaid { actual_fee, .. }) => Some(actual_fee),
		_ => None,
	});
	fees.sum()
}

/// The same, for a call that costs nothing when it is right.
#[track_caller]
fn accepted_free(who: &Pair, call: impl Into<RuntimeCall>) {
	assert_eq!(accepted(who, call), 0, "a fee was taken");
}

/// Ids of tasks that there are none of.
const NO_TASKS: [TaskId; 3] = [TaskId(77), TaskId(u64::MAX - 1), TaskId(u64::MAX)];

/// Numbers of ranges that a task with one range does not have.
const NO_RANGES: [RangeIndex; 3] = [RangeIndex(1), RangeIndex(u32::MAX - 1), RangeIndex(u32::MAX)];

fn set_balance(who: &AccountId, free: Balance) {
	Balances::force_set_balance(RuntimeOrigin::root(), who.clone().into(), free).unwrap();
}

/// An account with money and nothing else.
fn stranger() -> Pair {
	let key = key(1_000);
	set_balance(&id(&key), 1_000 * DGC);
	key
}

/// Who owns the tasks.
fn owner() -> Pair {
	Sr25519Keyring::Ferdie.pair()
}

/// A registered worker, each number its own operator.
fn worker(number: u32) -> Pair {
	let key = key(number);
	set_balance(&id(&key), 1_000 * DGC);
	accepted(&key, register(&key));
	key
}

/// What a worker registers with.
fn register(key: &Pair) -> RuntimeCall {
	let call = pallet_workers::Call::register {
		operator: id(key),
		key: EncryptionKey(H256::repeat_byte(9)),
		capacity: Capacity { slots: common::SLOTS, memory_mib: 1024 },
		kinds: Kinds::from(TaskKind::Compute),
	};
	call.into()
}

fn submit(spec: TaskSpec<Balance>) -> TaskId {
	let task = TaskId(pallet_tasks::NextTaskId::<Runtime>::get());
	accepted(&owner(), pallet_tasks::Call::submit { spec });
	task
}

/// A task with one range of four subtasks.
fn one_range() -> TaskSpec<Balance> {
	TaskSpec { subtasks: 4, ..common::spec() }
}

/// Has every worker take that many ranges, and waits until they were drawn.
fn take(workers: &[Pair], slots: u16) {
	for worker in workers {
		accepted(worker, pallet_tasks::Call::take { slots });
	}
	(0..2).for_each(|_| next_block());
}

/// A task with `spec`, and three workers that have leases on all its ranges.
fn leased(spec: TaskSpec<Balance>) -> (TaskId, Vec<Pair>) {
	let workers: Vec<_> = (1..=3).map(worker).collect();
	let task = submit(spec.clone());
	take(&workers, spec.ranges() as u16);
	assert_eq!(Verdicts::range(task, RANGE).unwrap().seats.len(), 3);
	(task, workers)
}

/// The range that is voted on here.
const RANGE: RangeIndex = RangeIndex(0);

/// What everybody finds who computes the open subtasks of the range.
fn found(task: TaskId) -> Digests {
	let size = Tasks::task(task).unwrap().spec.range_size;
	Digests::truncate_from(common::honest(task, RANGE, size))
}

/// What the worker alone finds.
fn made_up(key: &Pair, like: &Digests) -> Digests {
	let own = ResultDigest(H256(id(key).into()));
	Digests::truncate_from(vec![own; like.len()])
}

/// Commits to `digests` in the range's present round.
fn commit(task: TaskId, key: &Pair, digests: &Digests) -> RuntimeCall {
	let round = Verdicts::range(task, RANGE).map_or(Round(0), |range| range.round);
	let commitment = common::commitment(task, RANGE, round, &id(key), digests);
	pallet_verdicts::Call::commit { task, range: RANGE, commitment }.into()
}

fn reveal(task: TaskId, digests: &Digests) -> RuntimeCall {
	let digests = digests.clone();
	pallet_verdicts::Call::reveal { task, range: RANGE, digests, salt: common::SALT }.into()
}

/// Everybody commits and reveals something else, so that one more replica is needed.
fn disagree(task: TaskId, workers: &[Pair]) {
	let like = found(task);
	for worker in workers {
		accepted_free(worker, commit(task, worker, &made_up(worker, &like)));
	}
	for worker in workers {
		accepted_free(worker, reveal(task, &made_up(worker, &like)));
	}
	assert_eq!(Verdicts::range(task, RANGE).unwrap().round, Round(1));
}
