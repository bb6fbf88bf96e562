//! How calls are made up: each of ours, with small numbers that may name something, with the
//! lowest and highest, and with any.

use dgcs_primitives::{
	api::{Capacity, ServiceAddress},
	Commitment, Digests, EncryptionKey, Kinds, Payout, RangeIndex, ResultDigest, Selection, TaskId,
	TaskKind, TaskSpec, Visibility,
};
use dgcs_runtime::{
	constants::{DGC, MICRO},
	AccountId, Balance, Masternodes, RuntimeCall,
};
use proptest::{collection::vec, prelude::*};
use sp_core::H256;

use crate::common::{
	blocks::{id, key},
	spec, SALT,
};

/// How many accounts there are that something is known of.
pub const PEOPLE: u32 = 9;

pub fn call() -> impl Strategy<Value = RuntimeCall> {
	prop_oneof![
		1 => escrow(),
		2 => masternodes(),
		3 => tasks(),
		3 => verdicts(),
		3 => workers(),
	]
}

fn escrow() -> impl Strategy<Value = RuntimeCall> {
	use pallet_escrow::Call;
	(task(), account()).prop_map(|(task, funder)| Call::refund { task, funder }.into())
}

fn masternodes() -> impl Strategy<Value = RuntimeCall> {
	use pallet_masternodes::Call;
	prop_oneof![
		(amount(), encryption_key(), address()).prop_map(|(bond, key, address)| Call::join {
			bond,
			key,
			address
		}),
		amount().prop_map(|amount| Call::bond_more { amount }),
		(encryption_key(), address()).prop_map(|(key, address)| Call::update { key, address }),
		Just(Call::leave {}),
		account().prop_map(|who| Call::withdraw { who }),
		number().prop_map(|count| Call::set_active_count { count: count as u32 }),
	]
	.prop_map(Into::into)
}

fn tasks() -> impl Strategy<Value = RuntimeCall> {
	use pallet_tasks::Call;
	prop_oneof![
		task_spec().prop_map(|spec| Call::submit { spec }),
		(task(), amount()).prop_map(|(task, amount)| Call::fund { task, amount }),
		task().prop_map(|task| Call::cancel { task }),
		number().prop_map(|slots| Call::take { slots: slots as u16 }),
		task().prop_map(|task| Call::settle { task }),
	]
	.prop_map(Into::into)
}

fn verdicts() -> impl Strategy<Value = RuntimeCall> {
	use pallet_verdicts::Call;
	let salt = || prop_oneof![Just(SALT), hash()];
	prop_oneof![
		(task(), range(), hash()).prop_map(|(task, range, hash)| {
			Call::commit { task, range, commitment: Commitment(hash) }
		}),
		(task(), range(), digests(), salt())
			.prop_map(|(task, range, digests, salt)| Call::reveal { task, range, digests, salt }),
		(task(), range()).prop_map(|(task, range)| Call::expire { task, range }),
	]
	.prop_map(Into::into)
}

fn workers() -> impl Strategy<Value = RuntimeCall> {
	use pallet_workers::Call;
	let offer = || (account(), encryption_key(), capacity(), kinds());
	prop_oneof![
		2 => offer().prop_map(|(operator, key, capacity, kinds)| {
			Call::register { operator, key, capacity, kinds }
		}),
		2 => offer().prop_map(|(operator, key, capacity, kinds)| {
			Call::update { operator, key, capacity, kinds }
		}),
		1 => Just(Call::replenish {}),
		1 => Just(Call::resume {}),
		1 => Just(Call::leave {}),
		1 => account().prop_map(|worker| Call::withdraw { worker }),
	]
	.prop_map(Into::into)
}

/// A number of any size, often at an edge.
fn number() -> impl Strategy<Value = u128> {
	prop_oneof![
		3 => 0..4u128,
		2 => 0..300u128,
		1 => Just(u128::MAX),
		1 => (0..128u32).prop_map(|bits| (1 << bits) - 1),
		1 => any::<u128>(),
	]
}

fn amount() -> impl Strategy<Value = Balance> {
	prop_oneof![2 => number(), 3 => (0..20_000u128).prop_map(|whole| whole * DGC)]
}

fn task() -> impl Strategy<Value = TaskId> {
	prop_oneof![4 => 0..4u64, 1 => number().prop_map(|id| id as u64)].prop_map(TaskId)
}

fn range() -> impl Strategy<Value = RangeIndex> {
	prop_oneof![4 => 0..2u32, 1 => number().prop_map(|index| index as u32)].prop_map(RangeIndex)
}

pub fn hash() -> impl Strategy<Value = H256> {
	prop_oneof![Just([0; 32]), Just([1; 32]), any::<[u8; 32]>()].prop_map(H256)
}

fn account() -> impl Strategy<Value = AccountId> {
	prop_oneof![
		8 => (0..PEOPLE).prop_map(|number| id(&key(number))),
		1 => Just(()).prop_map(|()| Masternodes::pot()),
		1 => hash().prop_map(|hash| AccountId::new(hash.0)),
	]
}

fn encryption_key() -> impl Strategy<Value = EncryptionKey> {
	hash().prop_map(EncryptionKey)
}

fn address() -> impl Strategy<Value = ServiceAddress> {
	let text = prop_oneof![Just(b"http://a".to_vec()), vec(any::<u8>(), 0..9)];
	text.prop_map(ServiceAddress::truncate_from)
}

fn digests() -> impl Strategy<Value = Digests> {
	let some = |len: std::ops::Range<usize>| vec(hash().prop_map(ResultDigest), len);
	prop_oneof![some(4..5), some(0..65)].prop_map(Digests::truncate_from)
}

fn capacity() -> impl Strategy<Value = Capacity> {
	(number(), number())
		.prop_map(|(slots, memory)| Capacity { slots: slots as u16, memory_mib: memory as u32 })
}

fn kinds() -> impl Strategy<Value = Kinds> {
	prop_oneof![3 => 1..8u8, 1 => any::<u8>()].prop_map(Kinds)
}

/// A specification in which up to three fields are something else.
pub fn task_spec() -> impl Strategy<Value = TaskSpec<Balance>> {
	vec((0..18u8, number()), 0..4).prop_map(|changes| {
		let mut spec = spec();
		changes.into_iter().for_each(|(field, value)| set(&mut spec, field, value));
		spec
	})
}

fn set(spec: &mut TaskSpec<Balance>, field: u8, value: u128) {
	match field {
		0 => spec.subtasks = value as u32,
		1 => spec.range_size = value as u32,
		2 => spec.replicas = value as u8,
		3 => spec.max_replicas = value as u8,
		4 => spec.reward = value,
		5 => spec.reward = MICRO,
		6 => spec.limits.time_ms = value as u32,
		7 => spec.limits.memory_mib = value as u32,
		8 => spec.limits.fuel = value as u64,
		9 => spec.queue_timeout = value as u32,
		10 => spec.run_timeout = value as u32,
		11 => spec.selection = Selection::Proven,
		12 => spec.payout = Payout::Pplns { window: value as u32 },
		13 => spec.visibility = Visibility::Public,
		14 => spec.keep_solution = false,
		15 => spec.kind = TaskKind::Store,
		16 => spec.kind = TaskKind::Host,
		_ => spec.input_root = H256::zero(),
	}
}

/// What can happen to bytes on their way.
#[derive(Clone, Debug)]
pub enum Damage {
	/// Bits of one byte are flipped.
	Flip(prop::sample::Index, u8),
	/// The rest is cut off.
	Truncate(prop::sample::Index),
	/// There is more than there should be.
	Extend(Vec<u8>),
	/// In the middle a length is given that nothing could have.
	Length(prop::sample::Index, Vec<u8>),
}

pub fn damage() -> impl Strategy<Value = Damage> {
	let place = any::<prop::sample::Index>;
	let lengths = prop_oneof![
		Just(vec![0xfe, 0xff, 0xff, 0xff]),
		Just(vec![0x03, 0xff, 0xff, 0xff, 0xff]),
		Just([vec![0x13], vec![0xff; 8]].concat()),
		Just(vec![0xff; 68]),
	];
	prop_oneof![
		5 => (place(), 1..=255u8).prop_map(|(at, bits)| Damage::Flip(at, bits)),
		2 => place().prop_map(Damage::Truncate),
		1 => vec(any::<u8>(), 1..40).prop_map(Damage::Extend),
		1 => (place(), lengths).prop_map(|(at, length)| Damage::Length(at, length)),
	]
}

/// Damages `bytes`, so that they differ.
pub fn suffer(bytes: &mut Vec<u8>, damage: &Damage) {
	if bytes.is_empty() {
		return bytes.push(0);
	}
	match damage {
		Damage::Flip(at, bits) => {
			let at = at.index(bytes.len());
			bytes[at] ^= bits;
		},
		Damage::Truncate(at) => bytes.truncate(at.index(bytes.len())),
		Damage::Extend(more) => bytes.extend(more),
		Damage::Length(at, length) => {
			let at = at.index(bytes.len());
			bytes.splice(at..at, length.iter().copied());
		},
	}
}
