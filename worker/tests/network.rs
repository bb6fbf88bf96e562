//! Workers on a real chain: three of them compute a task that a real node leases to them, and one is
//! killed between its commitment and its reveal. Runs if `DGCS_NODE` names the node's binary.

#![allow(clippy::unwrap_used)] // A test that panics is a test that fails.

#[allow(dead_code)] // Other tests use the rest.
#[path = "suite/scene.rs"]
mod scene;

use std::{
	collections::BTreeMap,
	path::{Path, PathBuf},
	process::{Child, Command, Stdio},
	sync::Arc,
	time::Duration,
};

use dgcs_client::{call, event, Account, Chain, Included, Options, Sender};
use dgcs_content::{BlockSink, BlockSource, Cut, Directory, Ending, Scope};
use dgcs_primitives::{
	api::{Capacity, TaskInfo},
	ContentId, Kinds, Outcome, SubtaskLimits, TaskEnd, TaskId,
};
use dgcs_worker::{
	chain::{self, Chain as _},
	execute::{Given, KeyShares},
	lend::{Allowance, Reason},
	live::LiveChain,
	machine::{Identity, Machine, SaltKey, Stop},
	Edges, Journal, Note, Slots, Store, Worker,
};
use scene::{Manner, Masternodes, Scene, Setting, ECHO, TASK};
use sp_core::H256;
use tokio::{
	sync::{
		mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender},
		watch,
	},
	task::JoinHandle,
};

/// Far more than anything takes: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(600);

struct Node {
	process: Child,
	url: String,
}

impl Node {
	fn start(folder: &Path) -> Option<Self> {
		let Some(binary) = std::env::var_os("DGCS_NODE") else {
			println!("SKIPPED: DGCS_NODE names no binary of a node");
			return None;
		};
		let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
		let process = Command::new(binary)
			.args(["masternode", "--dev", "--no-prometheus", "--no-telemetry", "--no-mdns"])
			.args(["--port", "0", "--rpc-port", &port.to_string(), "--base-path"])
			.arg(folder)
			.stdout(Stdio::null())
			.stderr(Stdio::null())
			.spawn()
			.unwrap();
		Some(Node { process, url: format!("ws://127.0.0.1:{port}") })
	}
}

impl Drop for Node {
	fn drop(&mut self) {
		self.process.kill().unwrap();
		self.process.wait().unwrap();
	}
}

/// A folder that all have in common in place of a network.
struct Shared(Arc<Directory>);

impl BlockSink for Shared {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> std::io::Result<()> {
		self.0.put(id, bytes)
	}
}

impl BlockSource for Shared {
	fn get(&self, id: &ContentId, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
		self.0.get(id, limit)
	}
}

impl Store for Shared {
	fn provide(&self, _: &ContentId) -> std::io::Result<()> {
		Ok(())
	}

	fn release(&self, _: &ContentId) -> std::io::Result<()> {
		Ok(())
	}
}

/// The shares of the scene's task, whatever number the chain gave it.
struct Renumbered(Arc<Masternodes>);

impl KeyShares for Renumbered {
	fn collect(
		&self,
		_: TaskId,
		scope: Scope,
		each: &mut dyn FnMut(Given) -> std::ops::ControlFlow<()>,
	) -> Vec<String> {
		self.0.collect(TASK, scope, each)
	}
}

/// A worker that runs in this process.
struct Running {
	account: Account,
	folder: PathBuf,
	notes: UnboundedReceiver<Note>,
	stop: UnboundedSender<Stop>,
	task: JoinHandle<()>,
}

impl Running {
	fn start(scene: &Scene, chain: &Chain, account: Account, folder: PathBuf) -> Self {
		let secret = account.encryption_secret();
		let shares = scene.shares(secret.public(), |_| Manner::Honest);
		let salts = SaltKey::new(&secret.to_bytes());
		let worker = H256(account.id().into());
		let identity = Identity { genesis: chain.genesis(), worker, salts };
		let (journal, votes) = Journal::open(&folder, &identity.genesis, &worker).unwrap();
		let (sender, notes) = unbounded_channel();
		let name = account.address();
		let edges = Edges {
			chain: Arc::new(LiveChain::new(Sender::new(chain.clone(), account.clone()))),
			store: Arc::new(Shared(scene.content.clone())),
			executor: Arc::new(scene.worker_with(
				Arc::new(Renumbered(shares)),
				secret,
				scene.content.clone(),
			)),
			journal: Arc::new(journal),
			slots: Slots::new(2, 19),
			notes: Arc::new(move |note| {
				println!("{} {note}", &name[..6]);
				drop(sender.send(note.clone()));
			}),
		};
		let (_, lent) = watch::channel(Allowance { slots: 2, reason: Reason::Idle });
		let (stop, stopped) = unbounded_channel();
		let worker = Worker::new(Machine::new(identity, 1000, votes), edges, lent);
		let task = tokio::spawn(worker.run(stopped));
		Running { account, folder, notes, stop, task }
	}

	async fn until(&mut self, wanted: impl Fn(&Note) -> bool) -> Note {
		let wait = async {
			loop {
				let note = self.notes.recv().await.unwrap();
				if wanted(&note) {
					return note;
				}
			}
		};
		tokio::time::timeout(PATIENCE, wait).await.unwrap()
	}
}

async fn register(chain: &Chain, account: &Account) {
	let live = LiveChain::new(Sender::new(chain.clone(), account.clone()));
	let register = chain::Call::Register {
		operator: H256(account.id().into()),
		key: account.encryption_secret().public(),
		capacity: Capacity { slots: 2, memory_mib: 32 },
		kinds: Kinds(1),
	};
	live.send(register).await.unwrap();
}

async fn send(chain: &Chain, account: &Account, call: &dgcs_client::Call) -> Included {
	Sender::new(chain.clone(), account.clone()).send_and_include(call).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_computed_and_paid_though_a_worker_is_killed() {
	let folder = tempfile::tempdir().unwrap();
	let Some(node) = Node::start(&folder.path().join("node")) else { return };
	let patient = Options { patience: PATIENCE, ..Options::default() };
	let chain = Chain::connect([node.url.clone()], patient).await.unwrap();

	let mut scene = Scene::new(Setting {
		program: scene::program(ECHO),
		input: Some(b"one\ntwo\nthree\n"),
		cut: Cut::Lines(1),
		range_size: 2,
		masternodes: 1,
	});
	scene.spec.reward = 1_000_000_000_000;
	scene.spec.limits = SubtaskLimits { time_ms: 60_000, memory_mib: 16, fuel: 1 << 30 };
	(scene.spec.queue_timeout, scene.spec.run_timeout) = (1000, 1000);
	scene.spec.keep_solution = true;

	let accounts = ["//Charlie", "//Dave", "//Eve"].map(|uri| Account::from_uri(uri).unwrap());
	for account in &accounts {
		register(&chain, account).await;
	}
	let mut workers: Vec<Running> = Vec::new();
	for (number, account) in accounts.into_iter().enumerate() {
		let folder = folder.path().join(format!("journal-{number}"));
		workers.push(Running::start(&scene, &chain, account, folder));
	}
	let owner = Account::from_uri("//Bob").unwrap();
	let submitted = send(&chain, &owner, &call::tasks::submit(&scene.spec)).await;
	let task = submitted.event::<event::tasks::Submitted>().unwrap().task.0;
	let before = chain.at_best().await.unwrap();
	let mut funds = Vec::new();
	for worker in &workers {
		funds.push(before.funds(&worker.account.id()).await.unwrap().free);
	}

	// One is killed when it has committed, and starts again with what is on its disk.
	let committed = |note: &Note| matches!(note, Note::Committed { .. });
	let mut killed = workers.remove(0);
	killed.until(committed).await;
	killed.task.abort();
	assert!(killed.task.await.unwrap_err().is_cancelled());
	let mut back = loop {
		// Its last run, if there is one, ends by itself and lets go of the journal.
		let journal =
			Journal::open(&killed.folder, &chain.genesis(), &H256(killed.account.id().into()));
		match journal {
			Ok(free) => {
				drop(free);
				break Running::start(&scene, &chain, killed.account, killed.folder);
			},
			Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
		}
	};
	let revealed = |note: &Note| matches!(note, Note::Revealed { .. });
	for worker in workers.iter_mut().chain([&mut back]) {
		worker.until(revealed).await;
		worker.until(revealed).await;
	}
	workers.insert(0, back);

	// All subtasks have their verdict, and the task is settled.
	let mut heads = chain.heads();
	let mut verdicts = BTreeMap::new();
	let settlement = loop {
		let at = chain.at_best().await.unwrap();
		match at.task(task).await.unwrap() {
			Some(TaskInfo::Settled(settlement)) => break settlement,
			info => assert!(info.is_some(), "the record is kept"),
		}
		if let Some(work_chain) = at.work_chain(task).await.unwrap() {
			let found = work_chain.verdicts(&scene.spec);
			verdicts.extend(found.map(|verdict| (verdict.subtask, verdict.outcome)));
		}
		let moved = tokio::time::timeout(PATIENCE, chain.moved(heads)).await;
		heads = moved.unwrap().unwrap();
	};
	assert_eq!(settlement.end, TaskEnd::Completed);
	assert_eq!((settlement.chain.agreed, settlement.chain.failed), (3, 0));
	let after = chain.at_best().await.unwrap();
	for (worker, before) in workers.iter().zip(funds) {
		let earned = after.funds(&worker.account.id()).await.unwrap().free - before;
		// Three results, less the fees for asking.
		assert!(earned > 2_900_000_000_000, "{} earned {earned}", worker.account.address());
	}
	// What the owner finds under the verdicts is what the program makes of the input.
	let inputs: [&[u8]; 3] = [b"one\n", b"two\n", b"three\n"];
	for (subtask, outcome) in verdicts {
		let Outcome::Agreed(digest) = outcome else { panic!("subtask {subtask} failed") };
		let (ending, output) = scene.open(&scene.content, &digest, (subtask / 2, 0, subtask));
		let input = inputs[subtask as usize];
		assert_eq!((ending, &output[..input.len()]), (Ending::Ok, input));
	}
	for worker in workers {
		worker.stop.send(Stop::Abandon).unwrap();
		tokio::time::timeout(PATIENCE, worker.task).await.unwrap().unwrap();
	}
}
