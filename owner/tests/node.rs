//! An owner's steps against a real node: the binary that `DGCS_NODE` names.

#[path = "../../client/tests/common/ports.rs"]
mod ports;

use std::{
	path::Path,
	process::{Child, Command, Stdio},
	time::Duration,
};

use dgcs_client::{call, Account, AccountId, Chain, Options, Sender};
use dgcs_owner::{
	adopt, begin, find, look, manifest, prepare, quote,
	record::{Open, Submission, Tasks},
	release, resume, roots, submission, submit, survey, watch,
	wish::{JoinBy, Outline, Split, Terms, Wish},
	Error, Ledger, Quote, Stage, Tell,
};
use dgcs_primitives::{SpecError, TaskEnd, TaskSpec};
use dgcs_store::{Config, Embedded, Store};
use ports::free_port;
use sp_core::H256;

/// `(module (memory (export "memory") 1) (func (export "_start")))`: it writes nothing.
const PROGRAM: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\
	\x07\x13\x02\x06memory\x02\0\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

/// A node with a chain of its own. It ends with this.
struct Node {
	process: Child,
	url: String,
}

impl Node {
	fn start(binary: &str) -> Self {
		let port = free_port();
		let node = Command::new(binary)
			.args(["masternode", "--dev", "--tmp", "--no-prometheus"])
			.args(["--port", "0", "--rpc-port", &port.to_string()])
			.stdout(Stdio::null())
			.stderr(Stdio::null())
			.spawn();
		let process = node.expect("DGCS_NODE names a binary");
		Node { process, url: format!("ws://127.0.0.1:{port}") }
	}
}

impl Drop for Node {
	fn drop(&mut self) {
		let _ = self.process.kill();
		let _ = self.process.wait();
	}
}

/// An owner's machine.
struct Desk {
	folder: tempfile::TempDir,
	chain: Chain,
	account: Account,
	tasks: Tasks,
	store: Store,
}

impl Desk {
	async fn new(node: &Node, uri: &str) -> Self {
		let folder = tempfile::tempdir().expect("a folder");
		// It starts beside twenty others, on two cores and one disk.
		let options = Options { patience: Duration::from_secs(300), ..Options::default() };
		let chain = Chain::connect([&node.url], options).await.expect("the node starts");
		let store = Config::Embedded(Embedded {
			listen: vec!["/ip4/127.0.0.1/tcp/0".parse().expect("an address")],
			..Embedded::new(folder.path().join("blocks"))
		});
		let desk = Desk {
			chain,
			account: Account::from_uri(uri).expect("a development account"),
			tasks: Tasks::new(folder.path().join("tasks")),
			store: Store::open(&store).await.expect("a new store"),
			folder,
		};
		std::fs::write(desk.path("program.wasm"), PROGRAM).expect("writable");
		std::fs::write(desk.path("input"), "one\ntwo\nthree\n").expect("writable");
		desk
	}

	fn path(&self, name: &str) -> std::path::PathBuf {
		self.folder.path().join(name)
	}

	fn id(&self) -> AccountId {
		self.account.id()
	}

	fn wish(&self, reward: u128) -> Wish {
		Wish {
			program: self.path("program.wasm"),
			input: Some(self.path("input")),
			split: Split::Lines(Some(1)),
			join: JoinBy::Concat,
			arguments: vec!["-x".into()],
			environment: vec![],
			merge_arguments: vec![],
			terms: Terms { reward, ..Terms::usual() },
		}
	}

	async fn quote(&self, terms: Terms) -> Result<Quote, Error> {
		let wish = Wish { terms, ..self.wish(1) };
		let survey = survey(&wish).expect("three lines");
		let spec = wish.terms.spec(&Outline::of(&survey, &wish.terms), 3000);
		quote(&self.chain, &self.id(), spec).await
	}

	/// A task whose content is in the store. The reward makes it another task.
	async fn prepared(&self, reward: u128) -> Open {
		let wish = self.wish(reward);
		let mut open =
			begin(&self.tasks, &self.chain, &self.id(), &wish, None).expect("there is room");
		let survey = survey(&wish).expect("three lines");
		let tell = Tell::nobody();
		prepare(&self.chain, &self.account, &self.store, &survey, &mut open, &tell)
			.await
			.expect("the masternode has a key");
		open
	}

	fn sender(&self) -> Sender {
		Sender::new(self.chain.clone(), self.account.clone())
	}
}

fn ledger(open: &Open) -> Ledger {
	Ledger::read(&open.work_chain(), open.record.task().expect("submitted")).expect("readable")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owners_steps() {
	let Ok(binary) = std::env::var("DGCS_NODE") else {
		eprintln!("SKIPPED: DGCS_NODE names no binary, so that no owner's step meets a chain");
		return;
	};
	let node = Node::start(&binary);
	let desk = Desk::new(&node, "//Alice").await;
	prices_are_the_chains(&desk).await;
	preparation_goes_on(&desk).await;
	a_task_is_paid_for_once(&desk).await;
	a_task_that_was_signed_elsewhere_is_found(&desk).await;
	another_chain_is_refused(&node).await;
	desk.store.shutdown().await.expect("it is open");
}

async fn prices_are_the_chains(desk: &Desk) {
	let quoted = desk.quote(Terms::usual()).await.expect("the chain takes it");
	let reward = Terms::usual().reward;
	assert_eq!((quoted.price.rewards, quoted.price.reserve), (9 * reward, 6 * reward));
	assert!(quoted.fee > 0 && quoted.workforce.workers == 0 && !quoted.warnings().is_empty());
	quoted.check(&desk.id(), 0).expect("Alice is rich");

	let short = Terms { deadline: 3, ..Terms::usual() };
	let refused = desk.quote(short).await.expect_err("a lease takes longer");
	assert!(matches!(refused, Error::Refused { reason: SpecError::Timeout }), "{refused}");
	let even = Terms { replicas: 4, ..Terms::usual() };
	let refused = desk.quote(even).await.expect_err("nobody would win");
	assert!(matches!(refused, Error::Refused { reason: SpecError::Replicas }), "{refused}");
	let rich = Terms { reward: u128::MAX / 4, ..Terms::usual() };
	assert!(matches!(desk.quote(rich).await, Err(Error::PriceOverflow)));
	// The chain would take it, and masternodes would not.
	let many = TaskSpec { subtasks: 1 << 20, range_size: 1, ..quoted.spec.clone() };
	let refused = quote(&desk.chain, &desk.id(), many).await.expect_err("a key for each range");
	assert!(matches!(refused, Error::TooManyRanges { least: 2, .. }), "{refused}");

	let nobody = Account::from_uri("//Nobody at all").expect("an account").id();
	let quoted = quote(&desk.chain, &nobody, quoted.spec).await.expect("anybody may ask");
	let poor = quoted.check(&nobody, 0).expect_err("it has nothing");
	assert!(matches!(poor, Error::NotEnough { available: 0, .. }), "{poor}");
}

async fn preparation_goes_on(desk: &Desk) {
	let open = desk.prepared(1_000_001).await;
	let (name, content) = (open.record.name.clone(), open.record.content.clone());
	drop(open);
	// The same again is the same task, and has nothing left to do.
	let mut open = desk.prepared(1_000_001).await;
	assert_eq!((&open.record.name, &open.record.content), (&name, &content));
	// Interrupted before the record said so: the same nonce gives the same blocks.
	open.update(|record| record.content = None).expect("there is room");
	drop(open);
	let open = desk.prepared(1_000_001).await;
	assert_eq!(open.record.name, name);
	let found = manifest(&desk.store, &open.record).await.expect("in the store");
	let again = open.record.content.clone().expect("prepared").spec;
	let before = content.as_ref().expect("prepared").spec.clone();
	assert_eq!((again.input_root, again.subtasks), (before.input_root, 3));
	for (root, _) in roots(&again.manifest, &found) {
		assert!(desk.store.is_pinned(&root).await.expect("the store is open"));
	}
	drop(open);
	// Another input is another task.
	std::fs::write(desk.path("input"), "one\ntwo\nthree\nfour\n").expect("writable");
	let open = desk.prepared(1_000_001).await;
	assert_ne!(open.record.name, name);
	assert_eq!(open.record.content.as_ref().expect("prepared").spec.subtasks, 4);
	std::fs::write(desk.path("input"), "one\ntwo\nthree\n").expect("writable");
	// What has ended is let go, but for what another task needs: the program.
	let content = open.record.content.clone().expect("prepared");
	let found = manifest(&desk.store, &open.record).await.expect("in the store");
	release(&desk.store, &desk.tasks, &open.record, &found).await.expect("the store is open");
	assert!(!desk.store.is_pinned(&content.spec.manifest).await.expect("the store is open"));
	assert!(desk.store.is_pinned(&content.program).await.expect("the store is open"));
}

async fn a_task_is_paid_for_once(desk: &Desk) {
	let tell = Tell::nobody();
	let mut open = desk.prepared(1_000_002).await;
	let since = desk.chain.heads().finalized.number;
	let spec = open.record.content.clone().expect("prepared").spec;
	let nothing = find(&desk.chain, &desk.id(), &spec.manifest, since).await;
	assert_eq!(nothing.expect("the chain is there"), None, "nothing was sent");

	let task = submit(&desk.sender(), &mut open, &tell).await.expect("Alice is rich");
	let held = |funds: dgcs_client::Funds| funds.held;
	let at = desk.chain.at_finalized().await.expect("the chain is there");
	let before = held(at.funds(&desk.id()).await.expect("an account"));

	// A crash right after sending: the record knows no more than that.
	open.update(|record| record.submission = Submission::Sent { since }).expect("there is room");
	drop(open);
	// The same command again is the same task.
	let mut open = desk.prepared(1_000_002).await;
	let again = submit(&desk.sender(), &mut open, &tell).await.expect("it is found");
	assert_eq!(again, task);
	// It goes on where its solution is not there yet, and nowhere else.
	let out = Path::new("/somewhere");
	open.update(|record| record.out = Some(out.into())).expect("there is room");
	let wish = desk.wish(1_000_002);
	let earlier = |out| resume(&desk.tasks, &desk.chain, &desk.id(), &wish, out).expect("readable");
	assert_eq!(earlier(Some(out)).map(|record| record.name), Some(open.record.name.clone()));
	assert_eq!(earlier(Some(Path::new("/elsewhere"))), None);
	assert_eq!(earlier(None), None);
	let at = desk.chain.at_finalized().await.expect("the chain is there");
	assert_eq!(held(at.funds(&desk.id()).await.expect("an account")), before, "not held twice");

	let mut kept = ledger(&open);
	let stage = look(&desk.chain, task, &open, &mut kept).await.expect("the chain is there");
	assert!(matches!(stage, Stage::Live(view) if view.open_subtasks == 3));
	let cancel = call::tasks::cancel(task);
	desk.sender().send_and_finalize(&cancel).await.expect("its owner may");
	let end = watch(&desk.chain, task, &mut open, &mut kept, &tell).await.expect("it has ended");
	assert_eq!((end.end, end.sums.paid), (TaskEnd::Cancelled, 0));
	assert_eq!(desk.tasks.get(&open.record.name).expect("saved").settlement, Some(end));
	assert_eq!(kept.chain().height(), 0);
	assert_eq!(earlier(Some(out)), None, "it has no result");
}

async fn a_task_that_was_signed_elsewhere_is_found(desk: &Desk) {
	let open = desk.prepared(1_000_003).await;
	let name = open.record.name.clone();
	// What somebody does in polkadot.js. Nothing of it is kept on the chain after its end.
	let mut spec = open.record.content.clone().expect("prepared").spec;
	spec.keep_solution = false;
	drop(open);
	let included = desk.sender().send_and_finalize(&submission(&spec)).await.expect("paid");
	let event: dgcs_client::event::tasks::Submitted = included.event().expect("it says so");
	let task = event.task.0;
	let bob = Account::from_uri("//Bob").expect("known").id();
	let theirs = adopt(&desk.chain, &bob, &desk.store, &desk.tasks, task).await;
	assert!(matches!(theirs, Err(Error::OtherOwner { .. })), "it is Alice's");
	let mut open = adopt(&desk.chain, &desk.id(), &desk.store, &desk.tasks, task)
		.await
		.expect("it was prepared here");
	assert_eq!((open.record.name.clone(), open.record.task()), (name, Some(task)));

	let cancel = call::tasks::cancel(task);
	desk.sender().send_and_finalize(&cancel).await.expect("its owner may");
	let mut kept = ledger(&open);
	let end = watch(&desk.chain, task, &mut open, &mut kept, &Tell::nobody()).await;
	assert_eq!(end.expect("its end is found").end, TaskEnd::Cancelled);
	let unknown = adopt(&desk.chain, &desk.id(), &desk.store, &desk.tasks, task).await;
	assert!(matches!(unknown, Err(Error::UnknownTask { .. })), "nothing is left of it");
}

async fn another_chain_is_refused(node: &Node) {
	let options = Options {
		genesis: Some(H256::repeat_byte(1)),
		patience: Duration::from_secs(1),
		..Options::default()
	};
	let error = Chain::connect([&node.url], options).await.expect_err("another first block");
	assert!(error.to_string().contains("another chain"), "{error}");
}
