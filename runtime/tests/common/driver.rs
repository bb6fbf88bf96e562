//! A chain in memory, with all pallets together, driven block by block through its calls.

#![allow(clippy::unwrap_used, missing_docs, dead_code)]

use dgcs_primitives::{
	api::Capacity, Ballot, Commitment, ContentCodec, ContentId, Digests, EncryptionKey, Kinds,
	Payout, RangeIndex, ResultDigest, Round, Selection, SubtaskLimits, TaskId, TaskKind, TaskSpec,
	Visibility,
};
use dgcs_runtime::{
	constants::DGC, AccountId, Balance, Escrow, Masternodes, Runtime, RuntimeGenesisConfig,
	RuntimeOrigin, System, Tasks, Verdicts, Workers,
};
use frame_support::{
	assert_ok,
	traits::{Hooks, OnIdle},
	weights::{Weight, WeightMeter},
};
use sp_core::H256;
use sp_keyring::Sr25519Keyring;
use sp_runtime::BuildStorage;

/// An account that no preset knows.
pub fn account(number: u32) -> AccountId {
	let mut bytes = [0xd6; 32];
	bytes[..4].copy_from_slice(&number.to_le_bytes());
	bytes.into()
}

pub fn owner() -> AccountId {
	Sr25519Keyring::Ferdie.to_account_id()
}

pub fn signed(who: &AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who.clone())
}

/// The development preset and block 1.
pub fn chain() -> sp_io::TestExternalities {
	let mut ext = genesis();
	ext.execute_with(|| begin_block(1));
	ext
}

/// The development preset alone.
pub fn genesis() -> sp_io::TestExternalities {
	let patch = dgcs_runtime::presets::get(&"development".into()).unwrap();
	let patch = serde_json::from_slice(&patch).unwrap();
	let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
	json_patch(&mut config, patch);
	let config: RuntimeGenesisConfig = serde_json::from_value(config).unwrap();
	sp_io::TestExternalities::new(config.build_storage().unwrap())
}

fn json_patch(into: &mut serde_json::Value, patch: serde_json::Value) {
	use serde_json::Value::Object;
	match (into, patch) {
		(Object(into), Object(patch)) => {
			for (key, value) in patch {
				json_patch(into.entry(key).or_insert(serde_json::Value::Null), value);
			}
		},
		(into, patch) => *into = patch,
	}
}

fn begin_block(number: u32) {
	System::set_block_number(number);
	let vrf = sp_io::hashing::blake2_256(&number.to_le_bytes());
	pallet_babe::AuthorVrfRandomness::<Runtime>::put(Some(vrf));
	Tasks::on_poll(number, &mut WeightMeter::new());
}

/// Ends the block with all the idle time it may have, and begins the next.
pub fn next_block_unchecked() {
	let number = System::block_number();
	let idle = Weight::from_parts(500_000_000_000, u64::MAX);
	<(Escrow, Tasks, Verdicts) as OnIdle<u32>>::on_idle(number, idle);
	System::reset_events();
	begin_block(number + 1);
}

/// The same, with every invariant checked.
pub fn next_block() {
	next_block_unchecked();
	check();
}

pub fn blocks(count: u32) {
	(0..count).for_each(|_| next_block());
}

/// Every invariant of every pallet.
pub fn check() {
	Escrow::do_try_state().unwrap();
	Masternodes::do_try_state().unwrap();
	Tasks::do_try_state().unwrap();
	Verdicts::do_try_state().unwrap();
	Workers::do_try_state().unwrap();
}

pub fn spec() -> TaskSpec<Balance> {
	TaskSpec {
		kind: TaskKind::Compute,
		manifest: ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(1) },
		input_root: H256::repeat_byte(2),
		subtasks: 10,
		range_size: 4,
		replicas: 3,
		max_replicas: 5,
		reward: DGC / 100,
		limits: SubtaskLimits { time_ms: 1_000, memory_mib: 64, fuel: 1_000_000 },
		queue_timeout: 100,
		run_timeout: 600,
		selection: Selection::Any,
		payout: Payout::Pps,
		visibility: Visibility::Private,
		keep_solution: true,
	}
}

/// What each worker offers.
pub const SLOTS: u16 = 16;

/// Funds and registers workers 1 to `count`, each its own operator.
pub fn register_workers(count: u32) {
	for number in 1..=count {
		let worker = account(number);
		dgcs_runtime::Balances::force_set_balance(
			RuntimeOrigin::root(),
			worker.clone().into(),
			1_000 * DGC,
		)
		.unwrap();
		assert_ok!(Workers::register(
			signed(&worker),
			worker.clone(),
			EncryptionKey(H256::repeat_byte(9)),
			Capacity { slots: SLOTS, memory_mib: 1024 },
			Kinds::from(TaskKind::Compute),
		));
	}
}

/// Submits a task of the owner's.
pub fn submit(spec: TaskSpec<Balance>) -> TaskId {
	let task = TaskId(pallet_tasks::NextTaskId::<Runtime>::get());
	assert_ok!(Tasks::submit(signed(&owner()), spec));
	task
}

/// What an honest worker finds for a subtask.
pub fn digest(task: TaskId, subtask: u32) -> ResultDigest {
	ResultDigest(H256(sp_io::hashing::blake2_256(
		&[task.0.to_le_bytes(), u64::from(subtask).to_le_bytes()].concat(),
	)))
}

/// What a worker does with a range: which digests it finds, or nothing at all.
pub type Behaviour<'a> = &'a dyn Fn(&AccountId, RangeIndex, Vec<ResultDigest>) -> Vec<ResultDigest>;

/// The digests of the open subtasks of a range, as an honest worker finds them.
pub fn honest(task: TaskId, range: RangeIndex, size: u32) -> Vec<ResultDigest> {
	let Some(state) = Verdicts::range(task, range) else { return Vec::new() };
	(0..64u32)
		.filter(|bit| state.open >> bit & 1 == 1)
		.map(|bit| digest(task, range.0 * size + bit))
		.collect()
}

/// The commitment of `worker` to `digests` in the range's current round.
pub fn commitment(
	task: TaskId,
	range: RangeIndex,
	round: Round,
	worker: &AccountId,
	digests: &Digests,
) -> Commitment {
	let ballot = Ballot { genesis: System::block_hash(0), task, range, round };
	ballot.commitment(worker, digests, &SALT)
}

/// The salt of every vote here.
pub const SALT: H256 = H256::repeat_byte(7);

/// Commits and reveals for every seat of the task that is waiting for it, as `found` says.
pub fn vote(task: TaskId, workers: &[AccountId], found: Behaviour) {
	let Some(book) = Tasks::task(task) else { return };
	let ranges: Vec<RangeIndex> = (0..book.spec.ranges()).map(RangeIndex).collect();
	for reveal in [false, true] {
		for range in &ranges {
			for worker in workers {
				let Some(state) = Verdicts::range(task, *range) else { continue };
				let digests = found(worker, *range, honest(task, *range, book.spec.range_size));
				let digests = Digests::truncate_from(digests);
				// A worker without a seat is refused, which is what most of these calls are.
				if reveal {
					let _ = Verdicts::reveal(signed(worker), task, *range, digests, SALT);
				} else {
					let commitment = commitment(task, *range, state.round, worker, &digests);
					let _ = Verdicts::commit(signed(worker), task, *range, commitment);
				}
			}
		}
	}
}

/// Bytes of all keys and values in the state.
pub fn state_bytes() -> usize {
	let mut bytes = 0;
	let mut key = Vec::new();
	while let Some(next) = sp_io::storage::next_key(&key) {
		bytes += next.len() + sp_io::storage::get(&next).map_or(0, |value| value.len());
		key = next;
	}
	bytes
}
