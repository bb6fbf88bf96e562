//! The test vectors of `docs/protocol.md`. They are a file of their own, so that another
//! implementation can read them; this test computes each anew.
//!
//! After a deliberate change of the protocol, write them afresh with
//! `DGCS_WRITE_VECTORS=1 cargo test --release --workspace --test vectors`.

use codec::{Decode, Encode};
use dgcs_primitives::{
	leaf_hash, merkle_root, Accumulator, Ballot, ContentCodec, ContentId, Digests, Outcome, Payout,
	Price, RangeIndex, Receipt, ResultDigest, Round, Selection, SubtaskLimits, TaskId, TaskKind,
	TaskSpec, Verdict, Verdicts, Visibility, Vote, WorkBlock,
};
use serde_json::{json, Value};
use sp_core::{crypto::AccountId32, H256};
use sp_runtime::Perbill;

fn hex(bytes: impl AsRef<[u8]>) -> String {
	format!("0x{}", sp_core::hexdisplay::HexDisplay::from(&bytes.as_ref()))
}

fn hash(byte: u8) -> H256 {
	H256::repeat_byte(byte)
}

fn spec() -> TaskSpec<u128> {
	TaskSpec {
		kind: TaskKind::Compute,
		manifest: ContentId { codec: ContentCodec::Raw, digest: hash(0xaa) },
		input_root: hash(0xbb),
		subtasks: 130,
		range_size: 64,
		replicas: 3,
		max_replicas: 5,
		reward: 1_000_000_007,
		limits: SubtaskLimits { time_ms: 2_000, memory_mib: 256, fuel: 1_000_000_000 },
		queue_timeout: 1_200,
		run_timeout: 2_400,
		selection: Selection::Any,
		payout: Payout::Pplns { window: 8 },
		visibility: Visibility::Public,
		keep_solution: true,
	}
}

fn vectors() -> Value {
	let spec = spec();
	let price = Price::of(&spec, Perbill::from_percent(5)).expect("small numbers");
	let worker = AccountId32::new([0x11; 32]);
	let ballot =
		Ballot { genesis: hash(0x22), task: TaskId(7), range: RangeIndex(2), round: Round(1) };
	let digests = Digests::truncate_from(vec![ResultDigest(hash(1)), ResultDigest(hash(2))]);
	let salt = hash(0x33);
	let commitment = ballot.commitment(&worker, &digests, &salt);
	let reveal = Vote::Reveal { digests: digests.clone(), salt };
	let receipts = [
		Receipt { worker: worker.clone(), agreed: 2, dissented: 0, paid: 2_000_000_014u128 },
		Receipt { worker: AccountId32::new([0x12; 32]), agreed: 1, dissented: 1, paid: 5 },
	];
	let verdicts = Verdicts::truncate_from(vec![
		Verdict { subtask: 0, outcome: Outcome::Agreed(ResultDigest(hash(1))) },
		Verdict { subtask: 1, outcome: Outcome::Failed },
	]);
	let block = WorkBlock {
		task: TaskId(7),
		index: 0,
		parent: H256::zero(),
		when: 42,
		open_subtasks: 128,
		range: RangeIndex(2),
		round: Round(1),
		verdicts,
		receipts_root: merkle_root(&receipts),
	};
	let mut range = Accumulator::default();
	let roots: Vec<Value> = (1..=5u8)
		.map(|leaf| {
			range.push(hash(leaf));
			json!(hex(range.root()))
		})
		.collect();

	json!({
		"contentId": { "bytes": hex(spec.manifest.to_bytes()) },
		"taskSpec": {
			"json": spec,
			"scale": hex(spec.encode()),
			"ranges": spec.ranges(),
			"lastRangeLength": spec.range_len(RangeIndex(2)),
			"priceAtFivePercent": {
				"rewards": price.rewards.to_string(),
				"reserve": price.reserve.to_string(),
				"masternodes": price.masternodes.to_string(),
			},
		},
		"commitment": {
			"genesis": hex(ballot.genesis),
			"task": 7,
			"range": 2,
			"round": 1,
			"worker": hex(&worker),
			"digests": digests.iter().map(|digest| hex(digest.0)).collect::<Vec<_>>(),
			"salt": hex(salt),
			"commitment": hex(commitment.0),
		},
		"vote": {
			"commitBytes": hex(Vote::Commit(commitment).signing_bytes(&ballot)),
			"revealBytes": hex(reveal.signing_bytes(&ballot)),
		},
		"workBlock": {
			"json": block,
			"scale": hex(block.encode()),
			"hash": hex(block.hash()),
			"verdictsRoot": hex(block.verdicts_root()),
			"receipts": receipts,
			"receiptsRoot": hex(block.receipts_root),
		},
		"accumulator": {
			"about": "roots after pushing 0x0101.., 0x0202.., up to 0x0505..",
			"leafOfFirst": hex(leaf_hash(hash(1))),
			"roots": roots,
		},
	})
}

#[test]
fn vectors_are_those_of_the_protocol_document() {
	let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol-vectors.json");
	let computed = serde_json::to_string_pretty(&vectors()).expect("plain values") + "\n";
	if std::env::var_os("DGCS_WRITE_VECTORS").is_some() {
		std::fs::write(path, &computed).expect("docs/ can be written");
	}
	let written = std::fs::read_to_string(path).expect("docs/protocol-vectors.json exists");
	assert_eq!(written, computed, "the encodings differ from docs/protocol-vectors.json");
}

#[test]
fn every_encoding_decodes_to_the_same_value() {
	let spec = spec();
	assert_eq!(TaskSpec::decode(&mut &spec.encode()[..]).expect("just encoded"), spec);
	// One byte short of anything is an error, never another value.
	let bytes = spec.encode();
	assert!(TaskSpec::<u128>::decode(&mut &bytes[..bytes.len() - 1]).is_err());
}
