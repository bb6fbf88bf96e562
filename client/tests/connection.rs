//! Connections to a real node, and what happens when they break.

mod common;

use std::time::Duration;

use common::{account, free_port, patient, sender, Line, Mode, Node, LONG, UNIT};
use dgcs_client::{call, event, Chain, Error, Options};
use futures::StreamExt;
use sp_core::H256;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_followed_and_read() {
	let Some(node) = Node::start() else { return };
	let chain = node.chain().await;
	assert_ne!(chain.genesis(), H256::zero());

	// Every finalised block, from the first on.
	let mut heads = chain.finalized_heads(Some(0));
	for number in 0..4 {
		let head = timeout(LONG, heads.next()).await.expect("blocks come").expect("no end");
		assert_eq!(head.expect("the node answers").number, number);
	}
	let mut best = chain.best_heads();
	let first = best.next().await.expect("no end");
	let second = timeout(LONG, best.next()).await.expect("blocks come").expect("no end");
	assert!(second.number >= first.number && second != first);

	let at = chain.at_finalized().await.expect("its state is there");
	let masternodes = at.masternodes().await.expect("there is one");
	assert_eq!(masternodes.len(), 1);
	assert!(masternodes[0].active);
	let alice = account("//Alice").id();
	let funds = at.funds(&alice).await.expect("Alice is endowed");
	assert!(funds.spendable > 0 && funds.spendable <= funds.free);
	assert_eq!(at.funds(&account("//nobody").id()).await.expect("nothing").free, 0);
	assert_eq!(at.block_time().expect("a constant"), 3000);
	assert!(at.worker(&alice).await.expect("none").is_none());
	assert!(!at.is_asking(&alice).await.expect("not"));
	assert_eq!(
		at.can_work(&alice).await.expect("an answer"),
		Err(dgcs_primitives::Refusal::NotRegistered)
	);
	let task = dgcs_primitives::TaskId(99);
	assert!(at.task(task).await.expect("none").is_none());
	assert!(at.work_chain(task).await.expect("none").is_none());
	assert!(at.queue_position(task).await.expect("none").is_none());
	assert!(at.live_tasks().await.expect("none").is_empty());

	// The first event of all: money is made.
	let mut events = chain.finalized_events(Some(1));
	let events = events.next().await.expect("no end").expect("the node answers");
	assert_eq!(events.block().number, 1);
	assert!(!events.find::<event::system::ExtrinsicSuccess>().expect("readable").is_empty());

	let nowhere = dgcs_client::Head { number: 1, hash: H256::repeat_byte(1) };
	let error = chain.at(nowhere).await.expect_err("there is no such block");
	assert!(matches!(error, Error::UnknownBlock { .. }), "{error}");
	let refused = chain.request::<()>("no_such_method", Default::default()).await;
	assert!(matches!(refused, Err(Error::Refused { code: -32601, .. })), "{refused:?}");

	// This node has no store: it says so, and the connection goes on.
	let masternode = dgcs_client::Masternode::new(&node.url, Default::default()).expect("a URL");
	let refused = masternode.held(task).await;
	assert!(
		matches!(refused, Err(Error::Refused { .. }) | Ok(_)),
		"an answer, of whatever kind: {refused:?}"
	);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_node_is_used_when_one_drops_or_falls_silent() {
	let Some(node) = Node::start() else { return };
	drop(node.chain().await);
	let (first, second) = (Line::to(node.port).await, Line::to(node.port).await);
	let dead = format!("ws://127.0.0.1:{}", free_port());
	let options =
		Options { request: Duration::from_secs(5), stall: Duration::from_secs(15), ..patient() };
	let urls = [&dead, &first.url, &second.url];
	let chain = Chain::connect(urls, options).await.expect("two of three answer");
	assert_eq!(chain.url().await.expect("connected"), first.url);

	let alice = sender(&chain, "//Alice");
	let bob = account("//Bob").id();
	let before = chain.at_finalized().await.expect("there").funds(&bob).await.expect("there").free;
	let sent = alice.send(&call::balances::transfer(&bob, UNIT)).await.expect("it is valid");

	// Cut while the transaction is on its way.
	first.set(Mode::Cut);
	timeout(LONG, sent.finalized()).await.expect("it goes on").expect("it succeeds");
	assert_eq!(chain.url().await.expect("connected"), second.url);

	// No answer at all, and nobody asks for anything: heads stay away, which is noticed.
	first.set(Mode::Open);
	second.set(Mode::Mute);
	let mut heads = chain.finalized_heads(None);
	let now = chain.heads().finalized.number;
	let mut expected = now;
	while expected < now + 6 {
		match timeout(LONG, heads.next()).await.expect("it goes on").expect("no end") {
			Ok(head) => {
				assert_eq!(head.number, expected, "no block is left out");
				expected += 1;
			},
			Err(error) => assert!(error.is_temporary(), "{error}"),
		}
	}
	assert_eq!(chain.url().await.expect("connected"), first.url);
	let at = chain.at_finalized().await.expect("there");
	assert_eq!(at.funds(&bob).await.expect("there").free, before + UNIT, "sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_connected_to_is_said() {
	let nothing = Chain::connect(Vec::<String>::new(), Options::default()).await;
	assert!(matches!(nothing, Err(Error::NoUrl)));
	for url in ["", "http://127.0.0.1:1", "127.0.0.1:9944", "ws://"] {
		let refused = Chain::connect([url], Options::default()).await;
		assert!(matches!(refused, Err(Error::BadUrl { .. })), "{url}");
	}
	let hasty = || Options { patience: Duration::from_millis(300), ..Options::default() };
	let dead = format!("ws://127.0.0.1:{}", free_port());
	let error = Chain::connect([&dead], hasty()).await.expect_err("nobody is there");
	assert!(matches!(error, Error::Unreachable { .. }), "{error}");
	assert!(error.to_string().contains(&dead), "{error}");

	let Some(node) = Node::start() else { return };
	let chain = node.chain().await;
	let genesis = Some(H256::repeat_byte(1));
	let error = Chain::connect([&node.url], Options { genesis, ..hasty() })
		.await
		.expect_err("another chain");
	assert!(
		matches!(error, Error::OtherChain { found, .. } if found == chain.genesis()),
		"{error}"
	);
	let right = Options { genesis: Some(chain.genesis()), ..hasty() };
	Chain::connect([&dead, &node.url], right).await.expect("the right chain");
}
