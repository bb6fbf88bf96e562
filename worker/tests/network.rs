//! A whole task on a real chain: owner, masternode and three workers, each with a store of its own on
//! the loopback interface. The owner goes offline once the masternode has the content; one worker is
//! killed between its commitment and its reveal. Runs if `DGCS_NODE` names the binary of a node.

#![allow(clippy::unwrap_used)] // A test that panics is a test that fails.

#[path = "network/masternode.rs"]
mod masternode;
#[path = "../../client/tests/common/ports.rs"]
mod ports;
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
use dgcs_content::{
	prepare, put_blob, Cut, Ending, Input, Join, Output, OwnerSecret, Plan, Scope, TaskNonce,
	DEFAULT_SHARD_SIZE,
};
use dgcs_primitives::{
	api::{Capacity, TaskInfo},
	Kinds, Outcome, Payout, RangeIndex, Round, Selection, SubtaskLimits, TaskEnd, TaskKind,
	TaskSpec, Visibility,
};
use dgcs_sandbox::Sandbox;
use dgcs_store::{Config, Embedded, Store as Blocks};
use dgcs_worker::{
	chain::{self, Chain as _},
	execute::Executor,
	lend::{Allowance, Reason},
	live::{LiveChain, LiveShares, LiveStore},
	machine::{Identity, Machine, SaltKey, Stop},
	Edges, Journal, Note, Slots, Worker,
};
use masternode::MasternodeCustody;
use ports::free_port;
use scene::ECHO;
use sp_core::H256;
use tokio::{
	runtime::Handle,
	sync::{
		mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender},
		watch,
	},
	task::{spawn_blocking, JoinHandle},
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
		let port = free_port();
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

/// A worker that runs in this process.
struct Running {
	account: Account,
	folder: PathBuf,
	store: Arc<LiveStore>,
	notes: UnboundedReceiver<Note>,
	stop: UnboundedSender<Stop>,
	task: JoinHandle<()>,
	/// How many of its results were said to be right, and what for.
	decided: (u32, u128),
}

impl Running {
	async fn start(chain: &Chain, account: Account, folder: PathBuf) -> Self {
		let secret = account.encryption_secret();
		let salts = SaltKey::new(&secret.to_bytes());
		let worker = H256(account.id().into());
		let identity = Identity { genesis: chain.genesis(), worker, salts };
		let (journal, votes) = journal(chain, &account, &folder).await;
		let store = Arc::new(
			LiveStore::open(&on_loopback(folder.join("store")), chain.clone()).await.unwrap(),
		);
		let shares = LiveShares::new(chain.clone(), account.id(), Handle::current());
		let sandbox = Sandbox::new(None).unwrap();
		let executor =
			Executor::new(store.clone(), Arc::new(shares), secret, sandbox, folder.clone(), 192);
		let (sender, notes) = unbounded_channel();
		let name = account.address();
		let edges = Edges {
			chain: Arc::new(LiveChain::new(Sender::new(chain.clone(), account.clone()))),
			store: store.clone(),
			executor: Arc::new(executor),
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
		Running { account, folder, store, notes, stop, task, decided: (0, 0) }
	}

	async fn until(&mut self, wanted: impl Fn(&Note) -> bool) -> Note {
		let wait = async {
			loop {
				let note = self.notes.recv().await.unwrap();
				if let Note::Decided { agreed, paid, .. } = &note {
					self.decided = (self.decided.0 + agreed, self.decided.1 + paid.0);
				}
				if wanted(&note) {
					return note;
				}
			}
		};
		patiently(wait).await
	}

	/// Ends it without warning, and starts it again with what is on its disk.
	async fn kill_and_start(self, chain: &Chain) -> Self {
		self.task.abort();
		assert!(self.task.await.unwrap_err().is_cancelled());
		self.store.close().await.unwrap();
		Running::start(chain, self.account, self.folder).await
	}
}

/// The journal, once nobody else has it: a run of a worker that was killed may take a moment to end.
async fn journal(
	chain: &Chain,
	account: &Account,
	folder: &Path,
) -> (Journal, Vec<dgcs_worker::machine::Vote>) {
	let worker = H256(account.id().into());
	let open = async {
		loop {
			match Journal::open(folder, &chain.genesis(), &worker, 1 << 30) {
				Ok(journal) => return journal,
				Err(error) => println!("{error}"),
			}
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
	};
	patiently(open).await
}

async fn patiently<T>(wait: impl std::future::Future<Output = T>) -> T {
	tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

fn on_loopback(dir: PathBuf) -> Config {
	let listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
	Config::Embedded(Embedded { listen, ..Embedded::new(dir) })
}

async fn send(chain: &Chain, account: &Account, call: &dgcs_client::Call) -> Included {
	Sender::new(chain.clone(), account.clone()).send_and_include(call).await.unwrap()
}

async fn register(chain: &Chain, account: &Account) {
	let live = LiveChain::new(Sender::new(chain.clone(), account.clone()));
	let register = chain::Call::Register {
		operator: H256(account.id().into()),
		key: account.encryption_secret().public(),
		capacity: Capacity { slots: 2, memory_mib: 64 },
		kinds: Kinds(1),
	};
	live.send(register).await.unwrap();
}

/// The owner's content, in its own store, and the specification that names it.
async fn prepared(store: &Blocks, folder: &Path, keys: &MasternodeCustody) -> TaskSpec<u128> {
	let (store, folder) = (store.clone(), folder.to_path_buf());
	let masternodes = vec![keys.holder()];
	let prepare = move || {
		let path = folder.join("input");
		std::fs::write(&path, b"one\ntwo\nthree\n").unwrap();
		let plan = Plan {
			cut: Cut::Lines(1),
			join: Join::Concatenate,
			merge: None,
			range_size: 2,
			shard_size: DEFAULT_SHARD_SIZE,
			program: put_blob(&store, &scene::program(ECHO)).unwrap(),
			arguments: Vec::new(),
			environment: Vec::new(),
			masternodes,
		};
		let input = Input::at(path).unwrap();
		prepare(&input, &plan, &owner_secret(), NONCE, &store, &mut |_| ()).unwrap()
	};
	let prepared = spawn_blocking(prepare).await.unwrap();
	TaskSpec {
		kind: TaskKind::Compute,
		manifest: prepared.id,
		input_root: prepared.manifest.input_root(),
		subtasks: prepared.manifest.subtasks,
		range_size: 2,
		replicas: 3,
		max_replicas: 5,
		reward: 1_000_000_000_000,
		limits: SubtaskLimits { time_ms: 60_000, memory_mib: 16, fuel: 1 << 30 },
		queue_timeout: 1000,
		run_timeout: 1000,
		selection: Selection::Any,
		payout: Payout::Pps,
		visibility: Visibility::Private,
		keep_solution: true,
	}
}

const NONCE: TaskNonce = TaskNonce([6; 32]);
fn owner_secret() -> OwnerSecret {
	OwnerSecret::from_bytes([5; 32])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_task_is_computed_and_paid_though_its_owner_leaves_and_a_worker_is_killed() {
	let folder = tempfile::tempdir().unwrap();
	let path = |name: &str| folder.path().join(name);
	let Some(node) = Node::start(&path("node")) else { return };
	let patient = Options { patience: PATIENCE, ..Options::default() };
	let chain = Chain::connect([node.url.clone()], patient).await.unwrap();

	// A masternode that keeps contents and keys, and says where it answers.
	let alice = Account::from_uri("//Alice").unwrap();
	let config = on_loopback(path("masternode"));
	let custody = MasternodeCustody::start(&chain, &alice, &config, &path("custody")).await;
	let update = call::masternodes::update(custody.key(), &custody.address());
	send(&chain, &alice, &update).await;

	let accounts = ["//Charlie", "//Dave", "//Eve"].map(|uri| Account::from_uri(uri).unwrap());
	let mut workers: Vec<Running> = Vec::new();
	for (number, account) in accounts.into_iter().enumerate() {
		register(&chain, &account).await;
		workers.push(Running::start(&chain, account, path(&format!("worker-{number}"))).await);
	}

	// The owner leaves as soon as the masternode has all of it.
	let owner = Account::from_uri("//Bob").unwrap();
	let store = Blocks::open(&on_loopback(path("owner"))).await.unwrap();
	store.connect(&custody.store.addresses().await.unwrap()).await.unwrap();
	let spec = prepared(&store, folder.path(), &custody).await;
	let before = chain.at_best().await.unwrap();
	let submitted = send(&chain, &owner, &call::tasks::submit(&spec)).await;
	let task = submitted.event::<event::tasks::Submitted>().unwrap().task.0;
	patiently(custody.until_held(task)).await;
	store.shutdown().await.unwrap();

	// One worker is killed when it has committed.
	let committed = |note: &Note| matches!(note, Note::Committed { .. });
	let mut killed = workers.remove(0);
	killed.until(committed).await;
	let mut back = killed.kill_and_start(&chain).await;
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
			let found = work_chain.verdicts(&spec);
			verdicts.extend(found.map(|verdict| (verdict.subtask, verdict.outcome)));
		}
		heads = patiently(chain.moved(heads)).await.unwrap();
	};
	assert_eq!(settlement.end, TaskEnd::Completed);
	assert_eq!((settlement.chain.agreed, settlement.chain.failed), (3, 0));
	let after = chain.at_best().await.unwrap();
	for worker in &workers {
		let id = worker.account.id();
		let (before, after) = (before.funds(&id).await.unwrap(), after.funds(&id).await.unwrap());
		// Three results, less the fees for asking.
		let earned = after.free - before.free;
		assert!(earned > 2_900_000_000_000, "{} earned {earned}", worker.account.address());
	}
	for worker in &mut workers {
		while worker.decided.0 < 3 {
			worker.until(|note| matches!(note, Note::Decided { .. })).await;
		}
		assert_eq!(worker.decided, (3, 3 * spec.reward), "each is told what it earned");
	}

	// What the network has under the verdicts is what the program makes of the input.
	let store = custody.store.clone();
	let check = move || {
		let inputs: [&[u8]; 3] = [b"one\n", b"two\n", b"three\n"];
		for (subtask, outcome) in verdicts {
			let Outcome::Agreed(digest) = outcome else { panic!("subtask {subtask} failed") };
			let range = RangeIndex(subtask / 2);
			let key = owner_secret().task(&NONCE).scope(Scope::Range(range));
			let place = (range, Round(0), subtask);
			let result = Output::open(&store, &digest, &key, place, 1 << 20).unwrap();
			let mut output = Vec::new();
			let ending = result
				.read(&mut |part| {
					output.extend_from_slice(part);
					Ok(())
				})
				.unwrap();
			let input = inputs[subtask as usize];
			assert_eq!((ending, &output[..input.len()]), (Ending::Ok, input));
		}
	};
	spawn_blocking(check).await.unwrap();
	for worker in workers {
		worker.stop.send(Stop::Abandon).unwrap();
		patiently(worker.task).await.unwrap();
		worker.store.close().await.unwrap();
	}
}
