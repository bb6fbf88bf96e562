//! Custody as a node runs it.

mod common;

use std::{sync::Arc, time::Duration};

use common::World;
use dgcs_custody::Chain;
use tokio::sync::watch;

/// Waits for what `done` asks for, with blocks passing meanwhile.
async fn until(world: &World, blocks: &watch::Sender<u32>, mut done: impl FnMut(&World) -> bool) {
	let waiting = async {
		while !done(world) {
			world.pass(1);
			blocks.send_replace(world.chain.finalised().expect("there").number);
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
	};
	tokio::time::timeout(Duration::from_secs(120), waiting).await.expect("it happens");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_the_chain_until_the_node_stops() {
	let mut world = World::new(4);
	world.join(4);
	let (blocks, finalised) = watch::channel(0);
	let running: Vec<_> = world
		.nodes
		.iter()
		.map(|node| tokio::spawn(dgcs_custody::run(node.custody.clone(), finalised.clone())))
		.collect();
	drop(finalised);
	let tasks: Vec<_> = (0..3).map(|_| world.small_task(4, 1000)).collect();
	let all_hold = |world: &World| {
		let complete = |task: &common::Task, node: &common::Node| {
			node.custody.held(task.id).is_some_and(|held| held.complete)
		};
		tasks.iter().all(|task| world.nodes.iter().all(|node| complete(task, node)))
	};
	until(&world, &blocks, all_hold).await;

	world.leave(1);
	let (worker, _) = world.worker(9);
	tasks.iter().for_each(|task| world.lease(task.id, 0, &worker));
	let handed = |world: &World| {
		tasks.iter().all(|task| {
			let others = world.nodes.iter().enumerate().filter(|(number, _)| *number != 1);
			let mut shares = others.flat_map(|(_, node)| {
				node.custody.key_share(task.id, 1, &worker, None).unwrap_or_default()
			});
			shares.any(|share| share.holder == 1)
		})
	};
	until(&world, &blocks, handed).await;

	tasks.iter().for_each(|task| world.settle(task.id, false));
	let all_dropped = |world: &World| {
		world.nodes.iter().all(|node| tasks.iter().all(|task| node.custody.held(task.id).is_none()))
	};
	until(&world, &blocks, all_dropped).await;

	drop(blocks);
	for node in running {
		tokio::time::timeout(Duration::from_secs(120), node)
			.await
			.expect("ends")
			.expect("no panic");
	}
	assert!(world.nodes.iter().all(|node| Arc::strong_count(&node.custody) <= 2));
}
