//! Bytes that are to be calls, transactions, votes and blocks of the work chain.

use std::{
	fmt::Debug,
	time::{Duration, Instant},
};

use codec::{Decode, DecodeLimit, Encode};
use dgcs_primitives::{
	Ballot, Commitment, Digests, Outcome, RangeIndex, Receipt, ResultDigest, Round, Settlement,
	TaskId, TaskSpec, Verdict, Verdicts, Vote, WorkBlock,
};
use dgcs_runtime::{AccountId, Balance, RuntimeCall, UncheckedExtrinsic};
use proptest::{collection::vec, prelude::*};
use sp_core::H256;

use crate::{
	common::{
		blocks::{id, key, transaction, Binding},
		spec, SALT,
	},
	config, meter,
	strategies::{call, damage, suffer, task_spec},
};

/// How deep calls may lie in calls, for the chain.
const DEPTH: u32 = frame_support::MAX_EXTRINSIC_DEPTH;

/// Decodes, in little time and memory. What decodes, encodes to just the bytes that were read,
/// and so there is only one way to write it.
fn read<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
	let started = Instant::now();
	let mut rest = bytes;
	let (used, value) = meter::peak(|| T::decode_with_depth_limit(DEPTH, &mut rest));
	assert!(started.elapsed() < Duration::from_secs(1), "{bytes:?} take long");
	let most = 65_536 + 1_024 * bytes.len();
	assert!(used <= most, "{} bytes take {used} of memory", bytes.len());
	let value = value.ok()?;
	let again = value.encode();
	assert_eq!(again, bytes[..bytes.len() - rest.len()], "{value:?} can be written in two ways");
	assert_eq!(T::decode(&mut &again[..]).as_ref(), Ok(&value));
	Some(value)
}

/// Reads a transaction as a node does: first as a stretch of bytes of known length, and only then
/// as what they say. Alone, the latter would make room for whatever length is named.
fn read_transaction(bytes: &[u8]) -> Option<UncheckedExtrinsic> {
	let opaque = read::<Vec<u8>>(bytes)?;
	read(&opaque.encode())
}

/// Reads the bytes as everything that they could be taken for.
fn read_all(bytes: &[u8]) {
	read::<RuntimeCall>(bytes);
	read_transaction(bytes);
	read::<TaskSpec<Balance>>(bytes);
	read::<Ballot>(bytes);
	read::<Commitment>(bytes);
	read::<Digests>(bytes);
	read::<Vote>(bytes);
	read::<WorkBlock>(bytes);
	read::<Receipt<AccountId, Balance>>(bytes);
	read::<Settlement<AccountId, Balance>>(bytes);
}

/// A transaction of a chain that need not exist.
fn signed(call: RuntimeCall) -> UncheckedExtrinsic {
	let binding = Binding {
		genesis: H256::zero(),
		spec_version: 1,
		transaction_version: 1,
		nonce: 0,
		tip: 0,
	};
	transaction(&key(0), call, binding)
}

/// Something of every kind that is not a call.
fn payloads() -> Vec<Vec<u8>> {
	let (task, range, round) = (TaskId(1), RangeIndex(2), Round(3));
	let digests = Digests::truncate_from(vec![ResultDigest(H256::repeat_byte(6)); 64]);
	let ballot = Ballot { genesis: H256::zero(), task, range, round };
	let commitment = ballot.commitment(&id(&key(0)), &digests, &SALT);
	let (commit, reveal) = (Vote::Commit(commitment), Vote::Reveal { digests, salt: SALT });
	let outcomes = [Outcome::Agreed(ResultDigest::default()), Outcome::Failed];
	let verdicts = outcomes.map(|outcome| Verdict { subtask: 1, outcome });
	let block = WorkBlock {
		task,
		index: 0,
		parent: H256::zero(),
		when: 1,
		open_subtasks: 1,
		range,
		round,
		verdicts: Verdicts::truncate_from(verdicts.to_vec()),
		receipts_root: H256::zero(),
	};
	vec![
		spec().encode(),
		ballot.encode(),
		commitment.encode(),
		commit.encode(),
		reveal.encode(),
		commit.signing_bytes(&ballot),
		reveal.signing_bytes(&ballot),
		block.encode(),
	]
}

proptest! {
	#![proptest_config(config(70_000))]

	#[test]
	fn any_bytes_are_read_or_not(bytes in vec(any::<u8>(), 0..600)) {
		read_all(&bytes);
	}

	#[test]
	fn any_bytes_that_begin_like_a_call_of_ours_are_read_or_not(
		pallet in 40..45u8, call in 0..7u8, rest in vec(any::<u8>(), 0..300),
	) {
		read_all(&[vec![pallet, call], rest].concat());
	}

	#[test]
	fn damaged_calls_are_read_or_not(call in call(), damage in vec(damage(), 1..4)) {
		let mut bytes = call.encode();
		prop_assert_eq!(read::<RuntimeCall>(&bytes), Some(call));
		damage.iter().for_each(|damage| suffer(&mut bytes, damage));
		read_all(&bytes);
	}

	#[test]
	fn damaged_payloads_are_read_or_not(
		spec in task_spec(), which in 0..9usize, damage in vec(damage(), 1..4),
	) {
		let mut bytes = payloads().get(which).cloned().unwrap_or_else(|| spec.encode());
		damage.iter().for_each(|damage| suffer(&mut bytes, damage));
		read_all(&bytes);
	}
}

proptest! {
	#![proptest_config(config(7_000))]

	#[test]
	fn damaged_transactions_are_read_or_not(call in call(), damage in vec(damage(), 1..4)) {
		let mut bytes = signed(call).encode();
		prop_assert!(read_transaction(&bytes).is_some());
		damage.iter().for_each(|damage| suffer(&mut bytes, damage));
		read_all(&bytes);
	}
}

/// Calls that hold calls that hold calls: two bytes for each must not cost a stack frame each.
#[test]
fn nesting_has_an_end() {
	let sudo = [33, 0];
	let batch = [30, 0, 4];
	let innermost = RuntimeCall::from(pallet_tasks::Call::settle { task: TaskId(0) });
	for level in [&sudo[..], &batch[..]] {
		for levels in [10, 256, 257, 1_000, 100_000] {
			let mut bytes = level.repeat(levels);
			bytes.extend(innermost.encode());
			let read = RuntimeCall::decode_with_depth_limit(DEPTH, &mut &bytes[..]);
			assert!(read.is_err() || levels <= 256, "{levels} levels were read");
		}
	}
}

/// A length that nothing has must not make room for it.
#[test]
fn a_length_alone_takes_no_memory() {
	let lengths: [&[u8]; 3] =
		[&[0xfe, 0xff, 0xff, 0xff], &[0x03, 0xff, 0xff, 0xff, 0xff], &[0xfd, 0xff]];
	for length in lengths {
		// A reveal, a new address, a batch, and the transaction around them.
		let calls = [
			[&[44, 1][..], &[0; 12], length].concat(),
			[&[40, 2][..], &[1; 32], length].concat(),
			[&[30, 0][..], length].concat(),
			length.to_vec(),
		];
		for bytes in calls {
			read_all(&bytes);
			assert_eq!(read::<RuntimeCall>(&bytes), None);
		}
	}
}
