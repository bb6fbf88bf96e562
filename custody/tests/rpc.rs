//! The JSON-RPC, over a real socket.

mod common;

use std::sync::{Arc, OnceLock};

use codec::{DecodeAll, Encode};
use common::{catch_up, Node, Shelf, World};
use dgcs_content::{keys::KeyRing, Scope};
use dgcs_custody::{
	peers::WebSockets,
	rpc::{CustodyApiServer, CustodyRpc},
	Custody, PeerError, Peers, Receipt,
};
use dgcs_primitives::{RangeIndex, TaskSpec, WorkBlock};
use dgcs_rpc::masternode::{KeptSpec, ReceiptsPage, ReleasedShare, WorkChainPage};
use jsonrpsee::{
	client_transport::ws::{Url, WsTransportClientBuilder},
	core::client::{Client, ClientBuilder, ClientT, Error},
	rpc_params,
	server::{Server, ServerHandle},
};
use serde_json::{json, Value};
use sp_core::Bytes;
use tokio::runtime::Handle;

fn rpc(custody: Option<Arc<Custody>>, store: Arc<Shelf>) -> CustodyRpc {
	let known = OnceLock::new();
	if let Some(custody) = custody {
		known.set(custody).expect("once");
	}
	CustodyRpc::new(Arc::new(known), store)
}

async fn serve(Node { custody, shelf, .. }: &Node) -> (String, ServerHandle) {
	let (custody, store) = (custody.clone(), shelf.clone());
	let server = Server::builder().build("127.0.0.1:0").await.expect("a free port");
	let address = format!("ws://{}", server.local_addr().expect("bound"));
	(address, server.start(rpc(Some(custody), store).into_rpc()))
}

async fn connect(address: &str) -> Client {
	let url = Url::parse(address).expect("a URL");
	let (sender, receiver) =
		WsTransportClientBuilder::default().build(url).await.expect("a server");
	ClientBuilder::default().build_with_tokio(sender, receiver)
}

/// Code, message and data of the error that a call ends with.
async fn refusal(client: &Client, method: &str, params: Value) -> (i32, String, Value) {
	let params = match params {
		Value::Array(values) => values,
		other => vec![other],
	};
	let mut all = jsonrpsee::core::params::ArrayParams::new();
	params.into_iter().for_each(|value| all.insert(value).expect("JSON"));
	let error = client.request::<Value, _>(method, all).await.expect_err("refused");
	let Error::Call(error) = error else { panic!("{error}") };
	let data = error
		.data()
		.map_or(Value::Null, |data| serde_json::from_str(data.get()).expect("JSON of ours"));
	(error.code(), error.message().to_owned(), data)
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_and_owners_get_what_they_ask_for() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let (address, _server) = serve(&world.nodes[0]).await;
	let client = connect(&address).await;

	let addresses: Vec<String> =
		client.request("dgcs_storeAddresses", rpc_params![]).await.expect("no secret");
	assert!(addresses[0].contains("/p2p/"));

	let held: Value = client.request("dgcs_held", rpc_params![task.id]).await.expect("known");
	assert_eq!(
		held,
		json!({
			"task": task.id, "complete": true, "manifest": true, "program": true,
			"shardsHeld": 0, "shards": 0, "keySharesHeld": 1, "keyShares": 1,
			"resultsHeld": 0, "results": 0, "bytes": held["bytes"], "givenUp": false,
			"reason": null, "ended": false,
		})
	);

	world.decide(&task, &world.owner, &[b"one", b"two"]);
	catch_up(&world);
	let page: WorkChainPage =
		client.request("dgcs_keptWorkChain", rpc_params![task.id, 1]).await.expect("kept");
	let blocks = Vec::<WorkBlock>::decode_all(&mut &page.blocks[..]).expect("SCALE");
	assert_eq!((page.height, blocks.len(), blocks[0].index), (2, 1, 1));

	let page: ReceiptsPage =
		client.request("dgcs_keptReceipts", rpc_params![task.id, 1]).await.expect("kept");
	let receipts = Vec::<Option<Vec<Receipt>>>::decode_all(&mut &page.receipts[..]).expect("SCALE");
	assert_eq!((page.height, receipts), (2, vec![Some(common::receipts(1))]));

	let kept: KeptSpec = client.request("dgcs_keptSpec", rpc_params![task.id]).await.expect("kept");
	let spec = TaskSpec::<u128>::decode_all(&mut &kept.spec[..]).expect("SCALE");
	assert_eq!(spec.manifest, task.prepared.id);

	let (worker, secret) = world.worker(1);
	world.lease(task.id, 1, &worker);
	for params in [
		rpc_params![task.id, 2, worker.to_string()],
		rpc_params![task.id.0.to_string(), "2", worker.clone(), Value::Null],
	] {
		let shares: Vec<ReleasedShare> =
			client.request("dgcs_keyShare", params).await.expect("a lease");
		let scope = Scope::Range(RangeIndex(1));
		let mut ring = KeyRing::new(&task.prepared.manifest, scope);
		ring.add(shares[0].holder, &shares[0].sealed, &secret).expect("a good share");
		ring.key().expect("one masternode holds all");
	}
	let position = rpc_params![task.id, 0, worker.to_string(), 1];
	let shares: Vec<ReleasedShare> =
		client.request("dgcs_keyShare", position).await.expect("a lease");
	assert_eq!(shares.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_a_code_and_say_what_to_do() {
	let world = World::new(1);
	let task = world.small_task(4, 1000);
	catch_up(&world);
	let (address, _server) = serve(&world.nodes[0]).await;
	let client = connect(&address).await;
	let (worker, _) = world.worker(1);
	let worker = worker.to_string();
	let cases = [
		("dgcs_held", json!([]), -32602, "`task` is missing: expected a task id"),
		("dgcs_held", json!(["seven"]), -32602, "got \"seven\""),
		("dgcs_held", json!([99]), -32901, "keeps nothing of task 99"),
		("dgcs_keptWorkChain", json!([99]), -32901, "keeps nothing of task 99"),
		("dgcs_keptReceipts", json!([]), -32602, "`task` is missing"),
		("dgcs_keptReceipts", json!([1, "x"]), -32602, "`from` is wrong"),
		("dgcs_keptReceipts", json!([99]), -32901, "keeps nothing of task 99"),
		("dgcs_keptSpec", json!([99]), -32901, "keeps nothing of task 99"),
		("dgcs_keyShare", json!([1]), -32602, "`position` is missing"),
		("dgcs_keyShare", json!([1, -1]), -32602, "`position` is wrong"),
		("dgcs_keyShare", json!([1, 1, "x".repeat(1 << 20)]), -32602, "… (1048578 bytes)"),
		("dgcs_keyShare", json!([task.id, 1, worker, "1.5"]), -32602, "`range` is wrong"),
		("dgcs_keyShare", json!([99, 1, worker]), -32901, "has no task 99"),
		("dgcs_keyShare", json!([task.id, 1, worker]), -32910, "ask again when its block is final"),
		("dgcs_keyShare", json!([task.id, 1, common::account(9)]), -32904, "no registered worker"),
		("dgcs_handOver", json!(["0x1"]), -32602, "`offer` is wrong"),
		("dgcs_handOver", json!(["12"]), -32602, "bytes, as 0x"),
		("dgcs_handOver", json!(["0x1234"]), -32602, "in SCALE"),
		("dgcs_handOver", json!([format!("0x{}", "00".repeat(51))]), -32916, "no live task 0"),
	];
	for (method, params, code, text) in cases {
		let (found, message, data) = refusal(&client, method, params).await;
		assert_eq!(found, code, "{method}: {message}");
		assert!(message.contains(text), "{method}: {message}");
		assert!(data.is_object() || code == -32916, "{method}: {data}");
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_are_handed_over_a_socket() {
	let mut world = World::new(4);
	let task = world.small_task(4, 1000);
	world.join(4);
	let (address, server) = serve(&world.nodes[4]).await;
	world.leave(0);
	let offer = world.offer(&task, 4, |_| {});
	let offered = |address: &str| {
		let (peers, address, offer) =
			(WebSockets::new(Handle::current()), address.to_owned(), offer.clone());
		tokio::task::spawn_blocking(move || peers.hand_over(&address, &offer))
	};
	let early = offered(&address).await.expect("no panic");
	assert!(matches!(&early, Err(PeerError::NotReady { .. })), "{early:?}");
	catch_up(&world);
	for _ in 0..2 {
		offered(&address).await.expect("no panic").expect("the shares");
	}
	world.settle(task.id, false);
	let late = offered(&address).await.expect("no panic");
	assert!(matches!(&late, Err(PeerError::Refused { .. })), "{late:?}");
	let nonsense = offered("not a URL").await.expect("no panic");
	assert!(matches!(&nonsense, Err(PeerError::Refused { .. })), "{nonsense:?}");
	server.stop().expect("running");
	server.stopped().await;
	let gone = offered(&address).await.expect("no panic");
	assert!(matches!(&gone, Err(PeerError::Unreachable { .. })), "{gone:?}");
	assert_eq!(Bytes(offer.encode()).len(), offer.encoded_size());
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_registered_a_masternode_has_only_its_store() {
	let world = World::new(1);
	let module = rpc(None, world.nodes[0].shelf.clone()).into_rpc();
	let addresses: Vec<String> =
		module.call("dgcs_storeAddresses", rpc_params![]).await.expect("there");
	assert_eq!(addresses.len(), 1);
	let refused = module.call::<_, Value>("dgcs_held", rpc_params![1]).await.expect_err("nobody");
	assert!(refused.to_string().contains("-32919"), "{refused}");
}
