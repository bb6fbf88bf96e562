//! What a masternode and a worker of another range can read of a task: nothing of its input, its
//! results or its owner's names.

mod common;

use std::collections::HashSet;

use codec::Encode;
use common::{catch_up, World};
use dgcs_content::{
	get_blob,
	keys::{HolderShares, KeyRing},
	read_all, result_id, Blob, Cut, Directory, Error, Input, Output, RangeInput, Scope,
};
use dgcs_custody::Custody;
use dgcs_primitives::{RangeIndex, Round};

const WINDOW: usize = 8;

/// Bytes that repeat nothing, from a simple generator (Knuth's MMIX).
fn noise(seed: u64, len: usize) -> Vec<u8> {
	let mut state = seed;
	let mut next = || {
		state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
		(state >> 33) as u8
	};
	(0..len).map(|_| next()).collect()
}

fn windows(bytes: &[u8]) -> impl Iterator<Item = [u8; WINDOW]> + '_ {
	bytes.windows(WINDOW).map(|window| window.try_into().expect("of that length"))
}

/// All blocks in a folder.
fn blocks(directory: &Directory) -> Vec<Vec<u8>> {
	let files = std::fs::read_dir(directory.path()).expect("exists");
	files.map(|file| std::fs::read(file.expect("readable").path()).expect("readable")).collect()
}

#[test]
fn nothing_readable_has_eight_bytes_of_the_owners() {
	let world = World::new(4);
	let folder = world.folder.path().join("secret-folder-name");
	std::fs::create_dir(&folder).expect("room");
	let names: Vec<String> = (0..4).map(|n| format!("confidential-{n}-name.txt")).collect();
	let inputs: Vec<Vec<u8>> = (0..4).map(|n| noise(n, 50_000 + n as usize)).collect();
	for (name, input) in names.iter().zip(&inputs) {
		std::fs::write(folder.join(name), input).expect("room");
	}
	let outputs: Vec<Vec<u8>> = (10..14).map(|n| noise(n, 20_000)).collect();
	let input = Input::at(&folder).expect("exists");
	// Two ranges of two files each.
	let task = world.submit(world.prepare(&input, Cut::Files, 2), 1000);
	let manifest = &task.prepared.manifest;
	let workers = world.network.join(&world.folder.path().join("workers"));
	let slices: Vec<&[u8]> = outputs.iter().map(Vec::as_slice).collect();
	let digests = world.decide(&task, &workers, &slices);
	catch_up(&world);
	let masternode = &world.nodes[0];
	assert!(masternode.custody.held(task.id).expect("known").complete);

	// The owner's secrets: all that range 0 has, and every name.
	let mut secrets: HashSet<[u8; WINDOW]> = HashSet::new();
	for bytes in inputs[..2].iter().chain(&outputs[..2]) {
		secrets.extend(windows(bytes));
	}
	for name in names.iter().map(String::as_str).chain(["secret-folder-name"]) {
		secrets.extend(windows(name.as_bytes()));
	}

	// All blobs, of the owner and of the workers, as the masternode has them.
	let mut readable = blocks(&masternode.shelf.local);
	assert!(readable.len() > 30, "the shard alone has 32 blocks and a root");

	// The masternode's own shares, opened.
	let Blob { id, len } = manifest.holders[0].shares;
	let sealed = get_blob(&*masternode.shelf.local, &id, len).expect("kept");
	let (secret, root) = (&masternode.secret, &manifest.holders[0].shares_root);
	let shares =
		HolderShares::open(&sealed, secret, &manifest.nonce, 0, manifest.shared_keys(), root)
			.expect("its own");
	for position in 0..manifest.shared_keys() {
		readable.push(shares.share(Scope::at(position)).expect("exists").0.encode());
	}

	// A worker of range 1 has the task's key and its range's, by the rules.
	let (worker, secret) = world.worker(1);
	world.lease(task.id, 1, &worker);
	let key = |scope: Scope| {
		let mut ring = KeyRing::new(manifest, scope);
		let position = scope.position().expect("shared");
		let mut ask = |custody: &Custody| {
			let shares = custody.key_share(task.id, position, &worker, None).expect("a lease");
			readable.extend(shares.iter().map(|share| share.sealed.clone()));
			ring.add(shares[0].holder, &shares[0].sealed, &secret).expect("a good share");
		};
		world.nodes.iter().for_each(|node| ask(&node.custody));
		ring.key().expect("enough")
	};
	let [task_key, range_key] = [Scope::Task, Scope::Range(RangeIndex(1))].map(key);
	let source = &*masternode.shelf.local;
	readable.push(manifest.open_job(&task_key).expect("its own").encode());
	let mut own = Vec::new();
	let pieces = RangeInput::open(source, manifest, RangeIndex(1), &range_key).expect("its own");
	for subtask in 2..4 {
		let mut piece = Vec::new();
		pieces
			.read(source, manifest, subtask, &mut |_, part| {
				piece.extend_from_slice(part);
				Ok(())
			})
			.expect("its own");
		own.push(piece);
	}
	assert!(own == inputs[2..], "it reads what it has a lease for");
	readable.extend(own);

	// And it tries its keys on what is not its own.
	for (key, others) in [(&task_key, &[0, 1][..]), (&range_key, &[0])] {
		for range in others {
			let error = RangeInput::open(source, manifest, RangeIndex(*range), key);
			assert!(matches!(error.expect_err("not its own"), Error::Sealed { .. }));
		}
		for (subtask, digest) in (0..2).zip(&digests) {
			let place = (RangeIndex(0), Round(0), subtask);
			let output = Output::open(source, digest, key, place, 1 << 20);
			output.and_then(|output| output.read(&mut |_| Ok(()))).expect_err("not its own");
		}
	}
	assert!(source.path_of(&result_id(&digests[0])).exists(), "results are among the blobs");

	// What somebody without any key of the owner's gets.
	let stranger = dgcs_content::OwnerSecret::from_bytes([77; 32]).task(&manifest.nonce);
	read_all(source, manifest, &stranger, &mut |_, _| Ok(())).expect_err("another owner");

	let found = readable.iter().flat_map(|bytes| windows(bytes)).find(|w| secrets.contains(w));
	assert_eq!(found, None, "of {} blobs and messages", readable.len());

	// The test would see it: the owner's own keys bring all of it to light.
	let keys = task.secret.task(&manifest.nonce);
	let mut clear = Vec::new();
	read_all(source, manifest, &keys, &mut |_, part| {
		clear.extend_from_slice(part);
		Ok(())
	})
	.expect("the owner's");
	assert!(windows(&clear).any(|window| secrets.contains(&window)));
}
