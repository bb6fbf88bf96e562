//! The test vectors of the section "Content" of `docs/protocol.md`. They are a file of their own,
//! so that another implementation can read them; this test computes each anew.
//!
//! What is sealed to somebody's key is random: of that the file keeps one instance, and the test
//! opens it. After a deliberate change of a format, write all of it afresh with
//! `DGCS_WRITE_VECTORS=1 cargo test --release --workspace --test vectors`.

mod common;

use std::io::Write;

use common::{pattern, World};
use dgcs_content::{
	audit, audit_shard,
	content_id::{self, display},
	get_blob,
	keys::{Cipher, HolderShares, KeyRing, Place, Share, Use},
	merkle, seal_result, BlobWriter, Cut, EncryptionSecret, Ending, Leaves, Manifest, OwnerSecret,
	Scope, TaskNonce, BLOCK_SIZE,
};
use dgcs_primitives::{RangeIndex, Round};
use serde_json::{json, Value};
use sp_core::bytes::from_hex;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/content-vectors.json");
const RANGE_0: Scope = Scope::Range(RangeIndex(0));

fn hex(bytes: impl AsRef<[u8]>) -> String {
	sp_core::bytes::to_hex(bytes.as_ref(), false)
}

fn keys() -> Value {
	let owner = OwnerSecret::from_bytes([1; 32]).task(&TaskNonce([2; 32]));
	let scopes = [Scope::Task, RANGE_0, Scope::Range(RangeIndex(1)), Scope::Owner];
	let uses = [
		("input", Use::Input),
		("index", Use::Index),
		("job", Use::Job),
		("resultOfRound0", Use::Result(Round(0))),
		("resultOfRound1", Use::Result(Round(1))),
		("private", Use::Private),
		("padding", Use::Padding),
	];
	let place = Place { subtask: 3, segment: 4 };
	let sealed = |cipher: Cipher| hex(cipher.seal_vec(place, b"plaintext".to_vec()));
	json!({
		"ownerSecret": hex([1; 32]),
		"nonce": hex([2; 32]),
		"scopes": scopes.map(|scope| json!([scope.to_string(), hex(owner.scope(scope).as_bytes())])),
		"sealed": {
			"about": "'plaintext' under the key of range 0, as segment 4 of subtask 3",
			"uses": uses.map(|(name, purpose)| {
				json!([name, sealed(owner.scope(RANGE_0).cipher(purpose))])
			}),
		},
	})
}

fn trees(world: &World) -> Value {
	let lens = [0, 1, 262_144, 262_145, 700_000, 50_000_000];
	let name = |len, leaves| {
		let mut writer = BlobWriter::new(&world.store, leaves);
		writer.write_all(&pattern(len)).expect("there is room");
		display(&writer.finish().expect("there is room").id)
	};
	let shard_root = |blocks: usize| {
		let shard = pattern(blocks * BLOCK_SIZE);
		hex(audit::root(shard.chunks(BLOCK_SIZE).map(|block| content_id::raw(block).digest)))
	};
	let merkle_root = |leaves: u32| {
		hex(merkle::root((0..leaves).map(|leaf| merkle::leaf_hash(&leaf.to_le_bytes()))))
	};
	let shard_roots = [2, 3, 7, 32].map(|blocks| json!([blocks, shard_root(blocks)]));
	let merkle_roots = [1, 2, 3, 7, 256].map(|leaves| json!([leaves, merkle_root(leaves)]));
	json!({
		"about": "bytes are those of xorshift64 (13, 7, 17) from 9e3779b97f4a7c15, little-endian",
		"cids": lens.map(|len| json!({
			"len": len,
			"rawLeaves": name(len, Leaves::Raw),
			"wrappedLeaves": name(len, Leaves::Wrapped),
		})),
		"shardRoots": {
			"about": "of so many blocks of 262144 bytes",
			"roots": shard_roots,
		},
		"merkleRoots": {
			"about": "of so many leaves, each its number (u32)",
			"roots": merkle_roots,
		},
	})
}

fn task(world: &World) -> Value {
	let content = pattern(1_000_000);
	let input = world.file("input.bin", &content);
	let mut plan = world.plan(Cut::Bytes(150_000), 3);
	plan.masternodes.clear();
	let prepared = world.prepare_plan(&input, &plan).expect("possible");
	let manifest = prepared.manifest;
	let private = get_blob(&world.store, &manifest.private.id, 1000).expect("just put");
	let (leaf, proof) = audit_shard(&world.store, &manifest, 0, 1000).expect("just put");
	let index = manifest.index.expect("cut by bytes");
	let index = get_blob(&world.store, &index.id, index.len).expect("just put");
	json!({
		"about": "1,000,000 bytes named input.bin, cut by 150,000 bytes, ranges of 3, keys as above",
		"manifestCid": display(&prepared.id),
		"manifest": hex(manifest.to_bytes()),
		"inputRoot": hex(manifest.input_root()),
		"shard": { "cid": display(&manifest.shards[0].id()), "merkleRoot": hex(manifest.shards[0].root) },
		"audit": {
			"leaf": 1000,
			"blake3": hex(content_id::raw(&leaf).digest),
			"proof": proof.iter().map(hex).collect::<Vec<_>>(),
		},
		"index": hex(index),
		"private": hex(private),
	})
}

fn results(world: &World) -> Value {
	let owner = OwnerSecret::from_bytes([1; 32]).task(&TaskNonce([2; 32]));
	let digest = |round, ending, output: &[u8]| {
		let (key, mut output) = (owner.scope(RANGE_0), output);
		let sealed =
			seal_result(&world.store, &key, Round(round), 2, ending, &mut output).expect("room");
		hex(sealed.0)
	};
	json!({
		"about": "results of subtask 2 in range 0",
		"okRound0": digest(0, Ending::Ok, b"output"),
		"okRound1": digest(1, Ending::Ok, b"output"),
		"exitCode7": digest(0, Ending::Exit(7), b"output"),
		"timedOutWithoutOutput": digest(0, Ending::TimedOut, b""),
		"okWithAMillionBytes": digest(0, Ending::Ok, &pattern(1_000_000)),
	})
}

/// A task with three masternodes, and what two of them release to a worker.
fn new_sharing() -> Value {
	let mut world = World::new();
	world.masternodes.truncate(3);
	let input = world.file("input.bin", &pattern(1000));
	let manifest = world.prepare(&input, Cut::Bytes(100), 4).expect("possible").manifest;
	let worker = EncryptionSecret::from_bytes(&[9; 32]);
	let blobs = manifest.holders.iter().map(|holder| {
		hex(get_blob(&world.store, &holder.shares.id, holder.shares.len).expect("just put"))
	});
	let releases = [0, 2].map(|holder| {
		let shares = world.shares(&manifest, holder).expect("its own");
		let sealed = dgcs_content::keys::seal_release(
			&shares,
			&manifest.nonce,
			holder,
			RANGE_0,
			&worker.public(),
		);
		json!([holder, hex(sealed.expect("it has a share"))])
	});
	json!({
		"about": "random: open what is sealed; the worker then rebuilds the key of range 0 as above",
		"masternodeSecrets": [hex([3; 32]), hex([4; 32]), hex([5; 32])],
		"workerSecret": hex([9; 32]),
		"manifest": hex(manifest.to_bytes()),
		"shares": blobs.collect::<Vec<_>>(),
		"releases": releases,
	})
}

fn bytes(value: &Value) -> Vec<u8> {
	from_hex(value.as_str().expect("a string")).expect("hexadecimal")
}

fn secret(value: &Value) -> EncryptionSecret {
	EncryptionSecret::from_bytes(bytes(value).as_slice().try_into().expect("32 bytes"))
}

fn check_sharing(sharing: &Value) {
	let manifest = Manifest::from_bytes(&bytes(&sharing["manifest"])).expect("valid");
	let expected = OwnerSecret::from_bytes([1; 32]).task(&manifest.nonce).scope(RANGE_0);
	for (number, holder) in (0u8..).zip(&manifest.holders) {
		let shares = HolderShares::open(
			&bytes(&sharing["shares"][usize::from(number)]),
			&secret(&sharing["masternodeSecrets"][usize::from(number)]),
			&manifest.nonce,
			number,
			manifest.shared_keys(),
			&holder.shares_root,
		);
		shares.expect("sealed to this masternode");
	}
	let mut ring = KeyRing::new(&manifest, RANGE_0);
	for release in sharing["releases"].as_array().expect("a list") {
		let holder = release[0].as_u64().expect("a number") as u8;
		ring.add(holder, &bytes(&release[1]), &secret(&sharing["workerSecret"])).expect("good");
	}
	assert_eq!(ring.key().expect("two of three"), expected);
}

#[test]
fn vectors_are_those_of_the_protocol_document() {
	let writing = std::env::var_os("DGCS_WRITE_VECTORS").is_some();
	let sharing = if writing {
		new_sharing()
	} else {
		let text = std::fs::read_to_string(PATH).expect("docs/content-vectors.json exists");
		serde_json::from_str::<Value>(&text).expect("JSON")["sharing"].take()
	};
	check_sharing(&sharing);
	let world = World::new();
	let share = Share::from_bytes([5; 32]);
	let computed = json!({
		"keys": keys(),
		"trees": trees(&world),
		"task": task(&world),
		"results": results(&world),
		"shareCommitment": {
			"share": hex([5; 32]),
			"position": 7,
			"leaf": hex(share.commitment(7)),
		},
		"sharing": sharing,
	});
	let computed = serde_json::to_string_pretty(&computed).expect("plain values") + "\n";
	if writing {
		std::fs::write(PATH, &computed).expect("docs/ can be written");
	}
	let written = std::fs::read_to_string(PATH).expect("docs/content-vectors.json exists");
	assert_eq!(written, computed, "the formats differ from docs/content-vectors.json");
}
