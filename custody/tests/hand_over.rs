//! How shares get from who leaves to who stays.

mod common;

use common::{catch_up, Task, World};
use dgcs_content::{keys::KeyRing, Blob, Scope};
use dgcs_custody::{heirs, Block, Chain, HandedOver, Offer, OfferError, Refusal};
use sp_core::H256;

fn at(world: &World) -> Block {
	world.chain.finalised().expect("there")
}

/// The leaver tries until all is handed over, or for `blocks` blocks.
fn hand_over(world: &World, leaver: usize, blocks: u32) -> Option<HandedOver> {
	let mut report = None;
	for _ in 0..blocks {
		world.nodes[leaver].catch_up();
		report = world.nodes[leaver].custody.hand_over(&at(world)).expect("the chain is there");
		if report.is_none_or(|report| report.left == 0) {
			break;
		}
		world.pass(1);
	}
	report
}

/// Holders for whom each masternode answers to a worker of range 0.
fn answers(world: &World, task: &Task) -> Vec<Vec<u8>> {
	let (worker, secret) = world.worker(99);
	world.lease(task.id, 0, &worker);
	let mut ring = KeyRing::new(&task.prepared.manifest, Scope::at(1));
	let of = |node: &common::Node| match node.custody.key_share(task.id, 1, &worker, None) {
		Ok(shares) => shares,
		Err(Refusal::NotHolder { .. } | Refusal::NotYet { .. }) => Vec::new(),
		Err(other) => panic!("{other}"),
	};
	let mut holders = Vec::new();
	for node in &world.nodes {
		let shares = of(node);
		for share in &shares {
			ring.add(share.holder, &share.sealed, &secret).expect("a good share, whoever gives it");
		}
		holders.push(shares.into_iter().map(|share| share.holder).collect());
	}
	holders
}

fn first_heir(world: &World, task: &Task, holder: usize) -> usize {
	let manifest = &task.prepared.manifest;
	let account = |node: &common::Node| H256(*node.account.as_ref());
	let holders: Vec<H256> = manifest.holders.iter().map(|holder| holder.account).collect();
	let active: Vec<H256> = world
		.chain
		.masternodes(at(world).hash)
		.expect("there")
		.iter()
		.map(|view| H256(*view.account.as_ref()))
		.collect();
	let heir = heirs::order(&manifest.nonce, &holders[holder], &holders, &active)[0];
	world.nodes.iter().position(|node| account(node) == heir).expect("one of ours")
}

#[test]
fn the_heir_answers_for_who_has_left() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	world.join(4);
	world.join(5);
	catch_up(&world);
	assert_eq!(hand_over(&world, 2, 1), None, "nobody leaves");
	world.leave(2);
	let heir = first_heir(&world, &task, 2);
	assert!(heir >= 4, "those without a share come first");
	world.owner_goes_offline();
	assert_eq!(hand_over(&world, 2, 1), Some(HandedOver { done: 1, left: 0 }));
	assert_eq!(hand_over(&world, 2, 1), Some(HandedOver { done: 1, left: 0 }), "once is enough");
	// The leaver is switched off, and the heir restarts.
	world.unplug(2);
	world.restart(heir);
	catch_up(&world);
	let answers = answers(&world, &task);
	assert_eq!(answers[heir], [2]);
	assert_eq!((&answers[0][..], &answers[1][..]), (&[0][..], &[1][..]));
}

#[test]
fn three_that_stay_and_their_heirlooms_are_enough() {
	let world = World::new(4);
	let task = world.small_task(6, 1000);
	catch_up(&world);
	world.leave(3);
	assert_eq!(hand_over(&world, 3, 20), Some(HandedOver { done: 1, left: 0 }));
	// One more goes, without a word this time: the heir's two shares and another's make a key.
	let heir = answers(&world, &task)[..3].iter().position(|held| held.len() == 2).expect("one");
	let silent = (heir + 1) % 3;
	let (worker, secret) = world.worker(1);
	world.lease(task.id, 0, &worker);
	let mut ring = KeyRing::new(&task.prepared.manifest, Scope::at(1));
	for node in (0..3).filter(|node| *node != silent) {
		let shares = world.nodes[node].custody.key_share(task.id, 1, &worker, None);
		for share in shares.expect("a lease") {
			ring.add(share.holder, &share.sealed, &secret).expect("good");
		}
	}
	ring.key().expect("three shares of two masternodes");
}

#[test]
fn nobody_comes_to_hold_a_key() {
	let world = World::new(4);
	let tasks: Vec<Task> = (0..4).map(|_| world.small_task(4, 1000)).collect();
	catch_up(&world);
	for leaver in [3, 2, 1] {
		world.leave(leaver);
		hand_over(&world, leaver, 300);
		world.unplug(leaver);
		for task in &tasks {
			for (node, holders) in answers(&world, task).iter().enumerate().take(leaver) {
				assert!(holders.len() < 3, "{node} has {holders:?}");
			}
		}
	}
	for task in &tasks {
		assert_eq!(answers(&world, task)[0].len(), 2, "the last one has as many as are safe");
	}
}

#[test]
fn an_heir_who_does_not_answer_is_passed_over() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	(4..7).for_each(|number| world.join(number));
	catch_up(&world);
	world.leave(0);
	let first = first_heir(&world, &task, 0);
	world.unplug(first);
	assert_eq!(hand_over(&world, 0, 1), Some(HandedOver { done: 0, left: 1 }));
	assert_eq!(hand_over(&world, 0, 50), Some(HandedOver { done: 1, left: 0 }));
	let answers = answers(&world, &task);
	assert!(answers[first].is_empty());
	assert_eq!(answers[4..].iter().filter(|held| **held == [0]).count(), 1);
}

#[test]
fn shares_that_are_not_here_yet_are_left() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	world.join(4);
	let blob = world.owner.path_of(&task.prepared.manifest.holders[2].shares.id);
	let bytes = std::fs::read(&blob).expect("prepared");
	std::fs::remove_file(&blob).expect("ours");
	catch_up(&world);
	world.leave(2);
	assert_eq!(hand_over(&world, 2, 3), Some(HandedOver { done: 0, left: 1 }));
	std::fs::write(&blob, bytes).expect("room");
	assert_eq!(hand_over(&world, 2, 50), Some(HandedOver { done: 1, left: 0 }));
}

#[test]
fn a_heir_that_leaves_hands_its_heirlooms_on() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	(4..7).for_each(|number| world.join(number));
	catch_up(&world);
	world.leave(0);
	hand_over(&world, 0, 10);
	let first = first_heir(&world, &task, 0);
	world.unplug(0);
	world.leave(first);
	assert_eq!(hand_over(&world, first, 50), Some(HandedOver { done: 1, left: 0 }));
	world.unplug(first);
	let second = first_heir(&world, &task, 0);
	assert_ne!(first, second);
	assert_eq!(answers(&world, &task)[second], [0]);
}

#[test]
fn accept_fails_when_the_offer_is_not_what_it_says() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	world.join(4);
	let heir = |world: &World, offer: &Offer| world.nodes[4].custody.accept(offer);
	let good = world.offer(&task, 4, |_| {});
	assert!(matches!(
		heir(&world, &good),
		Err(OfferError::StillThere { .. } | OfferError::NotReady(_))
	));
	catch_up(&world);
	assert!(matches!(heir(&world, &good), Err(OfferError::StillThere { .. })));
	world.leave(0);
	let wrong = |result| matches!(result, Err(OfferError::Wrong { .. }));
	assert!(wrong(heir(&world, &Offer { proof: vec![7; 200], ..good.clone() })), "a stranger's");
	assert!(wrong(heir(&world, &Offer { proof: Vec::new(), ..good.clone() })));
	let longer = Blob { len: good.blob.len * 10, ..good.blob };
	assert!(wrong(heir(&world, &Offer { blob: longer, ..good.clone() })), "ten times");
	world.leave(1);
	assert!(wrong(heir(&world, &Offer { holder: 1, ..good.clone() })), "another holder's");
	let nobody = heir(&world, &Offer { holder: 9, ..good.clone() });
	assert!(matches!(nobody, Err(OfferError::NoHolder { .. })));
	let damaged = world.offer(&task, 4, |sealed| sealed[100] ^= 1);
	assert!(wrong(heir(&world, &damaged)), "a proof alone is not enough");
	let none = Offer { task: dgcs_primitives::TaskId(99), ..good.clone() };
	assert!(matches!(heir(&world, &none), Err(OfferError::NoTask { .. })));
	heir(&world, &good).expect("the shares");
	heir(&world, &good).expect("twice is once");
	assert_eq!(answers(&world, &task)[4], [0]);
}

#[test]
fn accept_fails_when_a_blob_is_on_nobodys_disk() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	world.join(4);
	catch_up(&world);
	world.leave(0);
	let good = world.offer(&task, 4, |_| {});
	world.owner_goes_offline();
	let error = world.nodes[4].custody.accept(&good).expect_err("not to be found");
	assert!(error.is_temporary(), "{error}");
}

#[test]
fn accept_fails_when_not_active_or_the_task_is_over() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	world.join(4);
	catch_up(&world);
	world.leave(0);
	let good = world.offer(&task, 4, |_| {});
	world.chain.change(|state| state.masternodes.last_mut().expect("five").active = false);
	let refused = world.nodes[4].custody.accept(&good);
	assert!(matches!(refused, Err(OfferError::NotActive)));
	world.chain.change(|state| state.masternodes.last_mut().expect("five").active = true);
	world.settle(task.id, false);
	let refused = world.nodes[4].custody.accept(&good);
	assert!(matches!(refused, Err(OfferError::NoTask { .. })));
}

#[test]
fn what_was_inherited_goes_with_its_task() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	world.join(4);
	catch_up(&world);
	world.leave(0);
	let good = world.offer(&task, 4, |_| {});
	world.nodes[4].custody.accept(&good).expect("the shares");
	assert!(world.nodes[4].shelf.is_pinned(&good.blob.id));
	world.settle(task.id, false);
	catch_up(&world);
	assert!(world.nodes[4].shelf.pins.lock().expect("not poisoned").is_empty());
}
