//! How a node knows which masternode it is, also when it has left.

mod common;

use std::{fs, path::PathBuf};

use common::{account, catch_up, World};
use dgcs_content::EncryptionSecret;
use dgcs_custody::{Block, Chain, HandedOver, Identity, IdentityError, Secrets};
use dgcs_primitives::api::MasternodeView;
use sp_core::H256;

fn file(world: &World, number: usize) -> PathBuf {
	world.nodes[number].folder.join("masternode")
}

/// What a masternode finds that starts now.
fn find(world: &World, number: usize) -> Result<Option<Identity>, IdentityError> {
	let mut secrets = Secrets::default();
	secrets.add(world.nodes[number].secret.clone());
	Identity::find(&*world.chain, &secrets, &file(world, number))
}

/// A masternode that was bonded when it started, and has left.
fn one_that_left(world: &World, number: usize) -> Identity {
	let identity = find(world, number).expect("readable").expect("bonded");
	identity.remember(&file(world, number)).expect("room");
	world.leave(number);
	identity
}

#[test]
fn who_has_left_hands_over_after_a_restart() {
	let mut world = World::new(4);
	let task = world.small_task(6, 1000);
	world.join(4);
	catch_up(&world);
	let bonded = one_that_left(&world, 2);
	assert_eq!((&bonded.account, bonded.left), (&world.nodes[2].account, false));
	world.owner_goes_offline();
	world.restart(2);
	let found = find(&world, 2).expect("readable").expect("remembered");
	assert_eq!(found, Identity { left: true, ..bonded });
	world.nodes[2].catch_up();
	let at = world.chain.finalised().expect("there");
	let report = world.nodes[2].custody.hand_over(&at).expect("the chain is there");
	assert_eq!(report, Some(HandedOver { done: 1, left: 0 }));
	// The only one without a share.
	let (worker, _) = world.worker(99);
	world.lease(task.id, 0, &worker);
	let shares = world.nodes[4].custody.key_share(task.id, 1, &worker, None).expect("a lease");
	assert_eq!(shares.iter().map(|share| share.holder).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_node_that_never_was_a_masternode_is_none() {
	let world = World::new(4);
	let file = world.folder.path().join("masternode");
	let mut secrets = Secrets::default();
	for _ in 0..2 {
		let found = Identity::find(&*world.chain, &secrets, &file).expect("readable");
		assert_eq!(found, None);
		secrets.add(EncryptionSecret::random());
	}
	assert!(!file.exists());
}

#[test]
fn the_chain_is_believed_before_the_file() {
	let world = World::new(4);
	let others = find(&world, 1).expect("readable").expect("bonded");
	fs::write(file(&world, 2), "damaged").expect("room");
	for damaged in [true, false] {
		if !damaged {
			others.remember(&file(&world, 2)).expect("room");
		}
		let found = find(&world, 2).expect("readable").expect("bonded");
		assert_eq!((&found.account, found.left), (&world.nodes[2].account, false));
	}
	// What it then remembers is good again.
	let identity = one_that_left(&world, 2);
	assert_eq!(find(&world, 2).expect("readable"), Some(Identity { left: true, ..identity }));
}

#[test]
fn nobody_takes_its_place_by_registering_its_key() {
	let world = World::new(4);
	let own = find(&world, 2).expect("readable").expect("bonded");
	world.chain.change(|state| {
		let view = state.masternodes[2].clone();
		state.masternodes.insert(0, MasternodeView { account: account(77), bond: 9, ..view });
	});
	own.remember(&file(&world, 2)).expect("room");
	let found = find(&world, 2).expect("readable").expect("bonded");
	assert_eq!(found.account, own.account);
}

#[test]
fn find_fails_when_the_file_is_of_no_use() {
	let world = World::new(5);
	let identity = one_that_left(&world, 2);
	let file = file(&world, 2);
	let says = |error: IdentityError, what: &str| {
		let error = error.to_string();
		let (name, account) = (file.display().to_string(), identity.account.to_string());
		assert!(error.contains(&name) && error.contains(what), "{error}");
		// Whoever reads it knows whose shares are at stake.
		assert!(error.contains(&account) || what == "is damaged", "{error}");
	};

	let mut other = Secrets::default();
	other.add(EncryptionSecret::random());
	let error = Identity::find(&*world.chain, &other, &file).expect_err("another's");
	assert!(matches!(error, IdentityError::NoSecret { .. }), "{error}");
	says(error, "restore x25519-");

	let seen = Block { hash: H256::repeat_byte(9), ..identity.seen };
	Identity { seen, ..identity.clone() }.remember(&file).expect("room");
	let error = find(&world, 2).expect_err("another chain's");
	assert!(matches!(error, IdentityError::OtherChain { .. }), "{error}");
	says(error, "remove it if it is of another chain");

	fs::write(&file, "{}").expect("room");
	let error = find(&world, 2).expect_err("damaged");
	assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
	says(error, "is damaged");

	// A node that lost its chain has to catch up: until then it can't tell.
	let number = world.chain.finalised().expect("there").number + 3;
	let seen = Block { hash: H256::from_low_u64_be(number.into()), number };
	let later = Identity { seen, left: true, ..identity.clone() };
	later.remember(&file).expect("room");
	let error = find(&world, 2).expect_err("behind");
	assert!(matches!(error, IdentityError::Behind { .. }), "{error}");
	says(error, "caught up");
	world.pass(3);
	assert_eq!(find(&world, 2).expect("readable"), Some(later));

	let now = world.chain.finalised().expect("there").number;
	world.chain.pruned.lock().expect("not poisoned").insert(now);
	let error = find(&world, 2).expect_err("the chain can't be read");
	assert!(matches!(error, IdentityError::Chain(_)), "{error}");
}
