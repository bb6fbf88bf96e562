//! Who gets shares of keys, and who does not.

mod common;

use std::sync::atomic::Ordering;

use codec::{Decode, Encode};
use common::{account, catch_up, Task, World};
use dgcs_content::{
	keys::{open_release, HolderShares, KeyRing},
	put_blob, Blob, Cut, EncryptionSecret, Error, Input, Manifest, Scope, ScopeKey,
};
use dgcs_custody::{Chain, Refusal};
use dgcs_primitives::{RangeIndex, TaskId};
use sp_core::H256;

/// What a worker does: asks `nodes` for the key at `position`.
fn collect(
	world: &World,
	task: &Task,
	position: u32,
	(worker, secret): &(dgcs_custody::AccountId, EncryptionSecret),
	nodes: &[usize],
) -> dgcs_content::Result<ScopeKey> {
	let manifest = &task.prepared.manifest;
	let mut ring = KeyRing::new(manifest, Scope::at(position));
	for node in nodes {
		let shares = world.nodes[*node].custody.key_share(task.id, position, worker, None);
		for share in shares.expect("there is a lease") {
			ring.add(share.holder, &share.sealed, secret).expect("a good share");
		}
	}
	ring.key()
}

fn is_the_key(task: &Task, position: u32, key: &ScopeKey) -> bool {
	let right = task.secret.task(&task.prepared.manifest.nonce).scope(Scope::at(position));
	// Keys show themselves in what they open.
	let (mut one, mut two) = (Vec::new(), Vec::new());
	for (key, bytes) in [(key, &mut one), (&right, &mut two)] {
		let place = dgcs_content::keys::Place::only(0);
		*bytes = key.cipher(dgcs_content::keys::Use::Job).seal_vec(place, vec![0; 32]);
	}
	one == two
}

#[test]
fn three_of_four_shares_are_the_key_and_two_are_not() {
	let world = World::new(4);
	let task = world.small_task(6, 1000);
	catch_up(&world);
	let worker = world.worker(1);
	world.lease(task.id, 2, &worker.0);
	for position in [0, 3] {
		for nodes in [[0, 1, 2], [3, 1, 0], [1, 2, 3]] {
			let key = collect(&world, &task, position, &worker, &nodes).expect("enough");
			assert!(is_the_key(&task, position, &key));
		}
		for nodes in [&[0, 1][..], &[2, 3], &[1, 1, 1]] {
			let error = collect(&world, &task, position, &worker, nodes).expect_err("too few");
			assert!(matches!(error, Error::TooFewShares { need: 3, .. }), "{error}");
		}
	}
}

#[test]
fn key_share_fails_without_a_lease_in_the_finalised_chain() {
	let world = World::new(1);
	let (task, other) = (world.small_task(6, 1000), world.small_task(6, 1000));
	catch_up(&world);
	let (worker, _) = world.worker(1);
	let (idle, _) = world.worker(2);
	let ask = |task, position, worker, range| {
		world.nodes[0].custody.key_share(task, position, worker, range)
	};
	let no_lease = |result| matches!(result, Err(Refusal::NoLease { .. }));
	assert!(no_lease(ask(task.id, 0, &worker, None)), "none is drawn");
	let before = world.chain.finalised().expect("there is a chain").number;
	world.lease(task.id, 1, &worker);
	let best = world.chain.rewind(before);
	for position in [0, 2] {
		assert!(no_lease(ask(task.id, position, &worker, None)), "drawn, but not final");
	}
	world.chain.catch_up(best);
	ask(task.id, 2, &worker, None).expect("its range");
	ask(task.id, 0, &worker, None).expect("its task");
	ask(task.id, 0, &worker, Some(RangeIndex(1))).expect("and its range named");
	assert!(no_lease(ask(task.id, 1, &worker, None)), "another range");
	assert!(no_lease(ask(task.id, 1, &worker, Some(RangeIndex(1)))), "a range named is no way out");
	assert!(no_lease(ask(task.id, 0, &worker, Some(RangeIndex(0)))));
	assert!(no_lease(ask(task.id, 4, &worker, None)), "a range that the task does not have");
	assert!(no_lease(ask(task.id, u32::MAX, &worker, None)));
	assert!(no_lease(ask(other.id, 0, &worker, None)), "another task");
	assert!(no_lease(ask(task.id, 2, &idle, None)), "another worker");
	let nobody = account(9);
	let unknown = ask(task.id, 2, &nobody, None).expect_err("not registered");
	assert!(matches!(unknown, Refusal::UnknownWorker { .. }), "{unknown}");
	let unknown = ask(TaskId(99), 0, &worker, None).expect_err("no such task");
	assert!(matches!(unknown, Refusal::UnknownTask { .. }), "{unknown}");
	world.chain.change(|state| state.leases.clear());
	assert!(no_lease(ask(task.id, 2, &worker, None)), "lapsed");
	world.settle(task.id, true);
	let ended = ask(task.id, 2, &worker, None).expect_err("over");
	assert!(matches!(ended, Refusal::TaskEnded { .. }), "{ended}");
}

#[test]
fn what_was_sealed_is_for_the_worker_its_task_and_its_range_alone() {
	let world = World::new(1);
	let (task, other) = (world.small_task(6, 1000), world.small_task(6, 1000));
	catch_up(&world);
	let (worker, secret) = world.worker(1);
	world.lease(task.id, 1, &worker);
	let shares = world.nodes[0].custody.key_share(task.id, 2, &worker, None).expect("a lease");
	let (manifest, scope) = (&task.prepared.manifest, Scope::Range(RangeIndex(1)));
	let open = |secret: &EncryptionSecret, manifest: &Manifest, scope| {
		open_release(&shares[0].sealed, secret, manifest, 0, scope)
	};
	open(&secret, manifest, scope).expect("for the worker");
	open(&EncryptionSecret::random(), manifest, scope).expect_err("a stranger");
	open(&secret, &other.prepared.manifest, scope).expect_err("another task");
	open(&secret, manifest, Scope::Task).expect_err("another scope");
}

#[test]
fn a_masternode_that_is_no_holder_says_so() {
	let mut world = World::new(1);
	let task = world.small_task(4, 1000);
	world.join(1);
	catch_up(&world);
	let (worker, _) = world.worker(1);
	world.lease(task.id, 0, &worker);
	let refusal = world.nodes[1].custody.key_share(task.id, 1, &worker, None).expect_err("none");
	assert!(matches!(refusal, Refusal::NotHolder { .. }), "{refusal}");
	assert!(world.nodes[1].custody.held(task.id).expect("known").complete, "it keeps the content");
}

#[test]
fn a_share_that_did_not_arrive_is_asked_for_later() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	let (worker, _) = world.worker(1);
	world.lease(task.id, 0, &worker);
	let ask = || world.nodes[0].custody.key_share(task.id, 1, &worker, None);
	let refusal = ask().expect_err("not even looked at");
	assert!(matches!(refusal, Refusal::NotYet { .. }), "{refusal}");
	let shares = task.prepared.manifest.holders[0].shares.id;
	let path = world.owner.path_of(&shares);
	let bytes = std::fs::read(&path).expect("prepared");
	std::fs::remove_file(&path).expect("prepared");
	catch_up(&world);
	let refusal = ask().expect_err("its owner has not delivered");
	let text = refusal.to_string();
	assert!(
		matches!(refusal, Refusal::NotYet { .. }) && text.contains("not to be found"),
		"{text}"
	);
	std::fs::write(&path, bytes).expect("room");
	world.pass(10);
	catch_up(&world);
	ask().expect("now it is there");
}

/// A task whose owner seals something else to its masternode than it commits to.
fn cheated(world: &World, change: impl FnOnce(&World, &Manifest) -> Vec<u8>) -> Task {
	let (mut prepared, secret) = world.prepare(&Input::Nothing, Cut::Index(4), 2);
	let bytes = change(world, &prepared.manifest);
	let blob = put_blob(&*world.owner, &bytes).expect("room");
	prepared.manifest.holders[0].shares = blob;
	prepared.id = prepared.manifest.put(&*world.owner).expect("the format allows it");
	world.submit((prepared, secret), 1000)
}

#[test]
fn damaged_shares_are_told_from_missing_ones_with_who_is_to_blame() {
	let world = World::new(2);
	let (worker, _) = world.worker(1);
	let size = HolderShares::sealed_size(3) as usize;
	let garbage = cheated(&world, |_, _| vec![7; size]);
	// Shares of the same holder, number and nonce, which the manifest does not commit to.
	let swapped = cheated(&world, |world, manifest| {
		let (other, _) = world.prepare(&Input::Nothing, Cut::Index(4), 2);
		let Blob { id, len } = other.manifest.holders[0].shares;
		assert_ne!(other.manifest.holders[0].shares_root, manifest.holders[0].shares_root);
		dgcs_content::get_blob(&*world.owner, &id, len).expect("prepared")
	});
	catch_up(&world);
	for (task, expected) in [(garbage, "was not sealed to this key"), (swapped, "commits to")] {
		world.lease(task.id, 0, &worker);
		let refusal = world.nodes[0].custody.key_share(task.id, 1, &worker, None).expect_err("no");
		let text = refusal.to_string();
		assert!(matches!(refusal, Refusal::Damaged { holder: 0, .. }), "{text}");
		assert!(text.contains(expected) && text.contains("owner is at fault"), "{text}");
		let held = world.nodes[0].custody.held(task.id).expect("known");
		assert!(!held.complete && held.given_up && held.reason.is_some(), "{held:?}");
		world.nodes[1].custody.key_share(task.id, 1, &worker, None).expect("its own are good");
	}
}

#[test]
fn a_key_that_the_masternode_lost_is_its_own_fault() {
	let world = World::new(1);
	let mut prepared = world.prepare(&Input::Nothing, Cut::Index(4), 2);
	prepared.0.manifest.holders[0].key = EncryptionSecret::random().public();
	prepared.0.id = prepared.0.manifest.put(&*world.owner).expect("the format allows it");
	let task = world.submit(prepared, 1000);
	catch_up(&world);
	let (worker, _) = world.worker(1);
	world.lease(task.id, 0, &worker);
	let refusal = world.nodes[0].custody.key_share(task.id, 1, &worker, None).expect_err("no");
	let text = refusal.to_string();
	assert!(text.contains("not in this masternode's keystore"), "{text}");
}

#[test]
fn asking_again_costs_no_sealing_and_a_new_key_gets_a_new_answer() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let (worker, _) = world.worker(1);
	world.lease(task.id, 0, &worker);
	let ask = || world.nodes[0].custody.key_share(task.id, 1, &worker, None).expect("a lease");
	let first = ask();
	for _ in 0..2000 {
		// More than may be sealed: whoever asks in the worker's name uses up nothing.
		assert_eq!(ask(), first);
	}
	let (_, renewed) = world.worker(1);
	let second = ask();
	assert_ne!(second, first);
	let scope = Scope::Range(RangeIndex(0));
	open_release(&second[0].sealed, &renewed, &task.prepared.manifest, 0, scope).expect("for it");
}

#[test]
fn a_worker_gets_no_more_sealed_than_it_can_need() {
	let world = World::new(1);
	let task = world.small_task(1200, 1000);
	catch_up(&world);
	let (worker, _) = world.worker(1);
	let ranges = 0..600u32;
	world.chain.change(|state| {
		let leases = ranges.clone().map(|range| (task.id, RangeIndex(range), worker.clone()));
		state.leases.extend(leases);
	});
	let ask = |range| world.nodes[0].custody.key_share(task.id, range + 1, &worker, None);
	let given = ranges.clone().filter(|range| ask(*range).is_ok()).count();
	assert_eq!(given, 512);
	assert!(matches!(ask(599), Err(Refusal::TooMany { .. })));
	ask(0).expect("what was sealed is given again");
	world.pass(20);
	ask(599).expect("and more later");
}

#[test]
fn strangers_cost_a_few_reads_of_the_chain() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let before = world.chain.reads.load(Ordering::Relaxed);
	for byte in 0..100 {
		let refusal = world.nodes[0].custody.key_share(task.id, 1, &account(byte), None);
		refusal.expect_err("no worker");
	}
	let reads = world.chain.reads.load(Ordering::Relaxed) - before;
	assert_eq!(reads, 100);
	let (idle, _) = world.worker(1);
	let before = world.chain.reads.load(Ordering::Relaxed);
	for _ in 0..100 {
		world.nodes[0].custody.key_share(task.id, 0, &idle, None).expect_err("no lease");
	}
	let reads = world.chain.reads.load(Ordering::Relaxed) - before;
	assert_eq!(reads, 201, "any range is looked for once a block");
}

#[test]
fn two_shares_of_four_say_nothing_about_the_key() {
	// Any key is as possible as any other: two shares and a wrong guess at a third give a key as well.
	let world = World::new(4);
	let task = world.small_task(2, 1000);
	catch_up(&world);
	let manifest = &task.prepared.manifest;
	let open = |number: usize| {
		let Blob { id, len } = manifest.holders[number].shares;
		let blob = dgcs_content::get_blob(&*world.owner, &id, len).expect("prepared");
		let (secret, root) = (&world.nodes[number].secret, &manifest.holders[number].shares_root);
		let shares =
			HolderShares::open(&blob, secret, &manifest.nonce, number as u8, 2, root).expect("own");
		shares.share(Scope::Task).expect("exists").0
	};
	let (one, two) = (open(0), open(1));
	let sharing = manifest.sharing().expect("four");
	let both = [(0, one.clone()), (1, two.clone())];
	assert!(matches!(
		sharing.combine(Scope::Task, &both),
		Err(Error::TooFewShares { have: 2, need: 3, .. })
	));
	let guesses = [H256::zero(), H256::repeat_byte(1)].map(|guess| {
		let share = dgcs_content::keys::Share::decode(&mut &guess.encode()[..]).expect("32 bytes");
		let shares = [(0, one.clone()), (1, two.clone()), (2, share)];
		sharing.combine(Scope::Task, &shares).expect("a key")
	});
	assert!(!is_the_key(&task, 0, &guesses[0]) && !is_the_key(&task, 0, &guesses[1]));
	let right = [(0, one), (1, two), (2, open(2))];
	assert!(is_the_key(&task, 0, &sharing.combine(Scope::Task, &right).expect("a key")));
}
