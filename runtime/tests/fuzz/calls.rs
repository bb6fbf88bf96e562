//! Calls of every kind from everybody, as transactions in blocks.

use std::collections::BTreeSet;

use codec::{Decode, DecodeAll, Encode};
use dgcs_primitives::{
	api::{Capacity, ServiceAddress},
	EncryptionKey, Kinds, RangeIndex, TaskId, TaskKind, TaskSpec, Visibility,
};
use dgcs_runtime::{constants::DGC, Balances, RuntimeCall, UncheckedExtrinsic, Verdicts};
use frame_support::traits::GetCallMetadata;
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use sp_core::{sr25519::Pair, H256};

use crate::{
	attempt, check,
	common::{
		self,
		blocks::{apply, chain, id, key, next_block, send, transaction, Binding},
		spec, state,
	},
	config, rich,
	strategies::{call, damage, suffer, Damage, PEOPLE},
};

/// Who submits tasks.
const OWNER: u32 = 0;
/// Who has money and adds it to others' tasks.
const FUNDER: u32 = 1;
/// Who has a lease on the first task.
const SEATED: [u32; 3] = [2, 3, 4];
/// Who is a worker without work.
const IDLE: u32 = 5;
/// Who is a masternode.
const MASTERNODE: u32 = 6;
/// Who has nothing.
const PAUPER: u32 = 7;
/// Who is a worker on its way out.
const LEAVING: u32 = 8;

const RANGE: RangeIndex = RangeIndex(0);

fn do_send(who: u32, call: impl Into<RuntimeCall>) {
	assert_eq!(send(&key(who), call), Ok(Ok(())));
}

fn register(who: &Pair) -> RuntimeCall {
	let call = pallet_workers::Call::register {
		operator: id(who),
		key: EncryptionKey(H256::repeat_byte(9)),
		capacity: Capacity { slots: 16, memory_mib: 1024 },
		kinds: Kinds::from(TaskKind::Compute),
	};
	call.into()
}

/// A task with leases and a vote begun, a task in the queue with other people's money in it, and
/// one whose money is on its way back.
fn scene() {
	use pallet_tasks::Call;
	let public = TaskSpec { visibility: Visibility::Public, ..spec() };
	(0..PEOPLE).filter(|who| *who != PAUPER).for_each(|who| drop(rich(who)));
	for who in SEATED.into_iter().chain([IDLE, LEAVING]) {
		do_send(who, register(&key(who)));
	}
	do_send(LEAVING, pallet_workers::Call::leave {});
	let address = ServiceAddress::truncate_from(b"http://a".to_vec());
	let sealing = EncryptionKey(H256::repeat_byte(4));
	let join = pallet_masternodes::Call::join { bond: 1_000 * DGC, key: sealing, address };
	do_send(MASTERNODE, join);

	do_send(OWNER, Call::submit { spec: TaskSpec { subtasks: 4, ..spec() } });
	SEATED.into_iter().for_each(|who| do_send(who, Call::take { slots: 1 }));
	(0..2).for_each(|_| next_block());
	let commitment = Default::default();
	let commit = pallet_verdicts::Call::commit { task: TaskId(0), range: RANGE, commitment };
	do_send(SEATED[0], commit);
	for task in [1, 2].map(TaskId) {
		do_send(OWNER, Call::submit { spec: public.clone() });
		do_send(FUNDER, Call::fund { task, amount: DGC });
	}
	do_send(OWNER, Call::cancel { task: TaskId(2) });
	assert_eq!(Verdicts::range(TaskId(0), RANGE).map(|range| range.seats.len()), Some(3));
}

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
	/// Somebody sends a call.
	Call(u32, Box<RuntimeCall>),
	/// Somebody sends what is left of a call.
	Damaged(u32, Box<RuntimeCall>, Vec<Damage>),
	/// A transaction is damaged after it was signed.
	Forged(u32, Box<RuntimeCall>, Vec<Damage>),
	/// A block ends.
	Block,
}

fn step() -> impl Strategy<Value = Step> {
	let boxed = || (0..PEOPLE, call().prop_map(Box::new));
	let damages = || vec(damage(), 1..3);
	prop_oneof![
		8 => boxed().prop_map(|(who, call)| Step::Call(who, call)),
		3 => (boxed(), damages()).prop_map(|((who, call), by)| Step::Damaged(who, call, by)),
		2 => (boxed(), damages()).prop_map(|((who, call), by)| Step::Forged(who, call, by)),
		1 => Just(Step::Block),
	]
}

fn play(step: Step) {
	match step {
		Step::Call(who, call) => call_of(who, *call),
		Step::Damaged(who, call, damage) => {
			let mut bytes = call.encode();
			damage.iter().for_each(|damage| suffer(&mut bytes, damage));
			match RuntimeCall::decode(&mut &bytes[..]) {
				Ok(call) if is_ours(&call) => call_of(who, call),
				_ => (),
			}
		},
		Step::Forged(who, call, damage) => forged(who, *call, &damage),
		Step::Block => {
			next_block();
			common::check();
		},
	}
}

fn is_ours(call: &RuntimeCall) -> bool {
	state::pallets().contains(&call.get_call_metadata().pallet_name)
}

fn call_of(who: u32, call: RuntimeCall) {
	let who = key(who);
	let broke = Balances::free_balance(id(&who)) == 0;
	let accepted = attempt(&who, call);
	assert!(!(broke && accepted), "whoever has nothing can't pay");
}

/// What was signed for something else is never carried out, for whomever it may seem to be.
fn forged(who: u32, call: RuntimeCall, damage: &[Damage]) {
	let who = key(who);
	let whole = transaction(&who, call, Binding::of(&id(&who))).encode();
	let mut bytes = whole.clone();
	damage.iter().for_each(|damage| suffer(&mut bytes, damage));
	if bytes == whole {
		return;
	}
	let Ok(forged) = UncheckedExtrinsic::decode_all(&mut &bytes[..]) else { return };
	let before = state::beside(&[]);
	assert_ne!(apply(forged), Ok(Ok(())), "{bytes:?} was carried out");
	let changes = state::changes(&before, &state::beside(&[]));
	assert!(changes.is_empty(), "{bytes:?} changed {changes:?}");
}

proptest! {
	#![proptest_config(config(350))]

	#[test]
	fn whatever_anybody_sends_every_invariant_holds(steps in vec(step(), 1..120)) {
		chain().execute_with(|| {
			scene();
			steps.into_iter().for_each(play);
			check();
			next_block();
			check();
		});
	}
}

/// The strategy leaves no call out.
#[test]
fn every_call_is_made_up_some_time() {
	let mut runner = TestRunner::deterministic();
	let name = |call: &RuntimeCall| {
		let data = call.get_call_metadata();
		(data.pallet_name, data.function_name)
	};
	let made_up: BTreeSet<_> =
		(0..2_000).map(|_| name(&call().new_tree(&mut runner).unwrap().current())).collect();
	let of = |pallet| RuntimeCall::get_call_names(pallet).iter().map(move |call| (pallet, *call));
	let all: BTreeSet<_> = state::pallets().into_iter().flat_map(of).collect();
	assert_eq!(made_up, all);
}
