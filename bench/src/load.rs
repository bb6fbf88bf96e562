//! The load generator: workers that take, commit and reveal as fast as the chain lets them.

use std::{
	collections::HashMap,
	time::{Duration, Instant},
};

use clap::Args;
use dgcs_primitives::{
	api::Capacity, Ballot, ContentCodec, ContentId, Digests, EncryptionKey, Kinds, Payout,
	RangeIndex, ResultDigest, Round, Selection, SubtaskLimits, TaskId, TaskKind, TaskSpec,
	Visibility,
};
use dgcs_runtime::{
	configs::RuntimeBlockWeights,
	constants::{DGC, HOURS},
	AccountId, Hash, RuntimeCall, RuntimeEvent,
};
use frame_support::dispatch::DispatchClass;
use sp_core::H256;

use crate::{
	account::Account,
	node::{number, Error, Node},
};

/// Hyperledger Fabric's published transactions per second (arXiv:1801.10228).
const FABRIC: f64 = 3_560.0;
/// What BOINC's task server did per second on one computer (8.8 million a day).
const BOINC: f64 = 102.0;
const RANGE: u32 = 64;

/// Options of the load benchmark.
#[derive(Debug, Args)]
pub struct Options {
	/// The node's JSON-RPC.
	#[arg(long, default_value = "ws://127.0.0.1:9944")]
	url: String,
	/// How many workers there are.
	#[arg(long, default_value_t = 120)]
	workers: u32,
	/// Ranges that each asks for at a time.
	#[arg(long, default_value_t = 16)]
	slots: u16,
	/// How long to measure, in blocks.
	#[arg(long, default_value_t = 40)]
	blocks: u32,
	/// Process id of the node, to read its memory.
	#[arg(long)]
	pid: Option<u32>,
}

struct Generator {
	node: Node,
	genesis: Hash,
	workers: Vec<Account>,
	index: HashMap<AccountId, usize>,
	/// Who has committed to what: to be revealed.
	committed: HashMap<(TaskId, RangeIndex), Vec<usize>>,
	slots: u16,
	sent: u64,
	refused: u64,
}

/// What is decided up to a block.
#[derive(Clone, Copy, Default)]
struct Count {
	subtasks: u64,
	votes: u64,
	/// The weight of transactions, in picoseconds.
	transactions: u64,
	/// The weight of hooks, which are the draws for the most part.
	hooks: u64,
}

/// Runs the benchmark and prints its ratios.
pub async fn run(options: Options) -> Result<(), Error> {
	let node = Node::connect(&options.url).await?;
	let genesis = node.block_hash(Some(0)).await?;
	let mut heads = node.new_heads().await?;
	let mut generator = Generator::prepare(node, genesis, &options).await?;

	let mut counts: HashMap<u32, (Count, Instant)> = HashMap::new();
	let mut total = Count::default();
	let mut seen = 0u32;
	let mut begun: Option<u32> = None;
	loop {
		let head = tokio::time::timeout(Duration::from_secs(120), heads.next())
			.await
			.map_err(|_| Error::Stuck("no block for two minutes".into()))?;
		let Some(Ok(head)) = head else {
			return Err(Error::Unexpected("an end of its blocks".into()));
		};
		let best = number(&head)?;
		let from = if seen == 0 { best } else { seen + 1 };
		for block in from..=best {
			let hash = generator.node.block_hash(Some(block)).await?;
			let before = total.subtasks;
			generator.react(hash, &mut total).await?;
			let weight = generator.node.weight(hash).await?;
			total.transactions += weight.get(DispatchClass::Normal).ref_time();
			total.hooks += weight.get(DispatchClass::Mandatory).ref_time();
			counts.insert(block, (total, Instant::now()));
			eprintln!("block {block}: {} subtasks decided", total.subtasks - before);
		}
		seen = best;
		// The first thousand verdicts fill the pipeline; what follows is measured.
		if begun.is_none() && total.subtasks > 10_000 {
			begun = Some(best);
		}
		if begun.is_some_and(|begun| best >= begun + options.blocks) {
			break;
		}
	}
	let finalised = generator.node.finalised().await?;
	let begun = begun.unwrap_or(seen);
	let (Some((first, since)), Some((last, until))) = (counts.get(&begun), counts.get(&finalised))
	else {
		return Err(Error::Stuck(format!(
			"block {finalised} is final, {begun} was the first counted"
		)));
	};
	let seconds = until.duration_since(*since).as_secs_f64();
	let rate = (last.subtasks - first.subtasks) as f64 / seconds;
	println!("finalised blocks {begun} to {finalised}, {seconds:.0} s, {} workers, ranges of {RANGE}, three replicas", options.workers);
	println!("votes per second:            {:.0}", (last.votes - first.votes) as f64 / seconds);
	println!("subtasks decided per second: {rate:.0}");
	println!(
		"  against Hyperledger Fabric's {FABRIC:.0} transactions per second: {:.2}",
		rate / FABRIC
	);
	println!(
		"  against BOINC's server, {BOINC:.0} results per second:           {:.1}",
		3.0 * rate / BOINC
	);
	print_limit(first, last, finalised - begun);
	println!("transactions sent {}, refused by the pool {}", generator.sent, generator.refused);
	if let Some(pid) = options.pid {
		println!("memory of the node: {} MB", resident_mb(pid)?);
	}
	Ok(())
}

/// Says how full the blocks were, and so what the rate was limited by.
fn print_limit(first: &Count, last: &Count, blocks: u32) {
	let limits = RuntimeBlockWeights::get();
	let most = limits.max_block.ref_time() as f64 * f64::from(blocks.max(1));
	let share = |first: u64, last: u64| 100.0 * (last - first) as f64 / most;
	let transactions = share(first.transactions, last.transactions);
	let hooks = share(first.hooks, last.hooks);
	let limit = if transactions + hooks > 90.0 {
		"the weight of a block"
	} else {
		"the workers, who wait for one another (--workers)"
	};
	println!("blocks full by weight: {transactions:.0} % transactions, {hooks:.0} % draws and other hooks");
	println!("  limited by {limit}");
}

fn resident_mb(pid: u32) -> Result<u64, Error> {
	let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
		.map_err(|error| Error::Stuck(format!("process {pid}: {error}")))?;
	status
		.lines()
		.find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
		.map(|kilobytes: u64| kilobytes / 1000)
		.ok_or_else(|| Error::Stuck(format!("process {pid} has no VmRSS")))
}

impl Generator {
	/// Funds and registers the workers and submits the tasks.
	async fn prepare(node: Node, genesis: Hash, options: &Options) -> Result<Self, Error> {
		let secret = |error: sp_core::crypto::SecretStringError| Error::Stuck(format!("{error:?}"));
		let mut alice = Account::new("//Alice", genesis, 0).map_err(secret)?;
		alice = Account::new("//Alice", genesis, node.nonce(&alice.id).await?).map_err(secret)?;
		let mut workers = Vec::new();
		for index in 0..options.workers {
			let phrase = format!("//bench//{index}");
			let fresh = Account::new(&phrase, genesis, 0).map_err(secret)?;
			let nonce = node.nonce(&fresh.id).await?;
			workers.push(Account::new(&phrase, genesis, nonce).map_err(secret)?);
		}
		let index = workers.iter().enumerate().map(|(i, worker)| (worker.id.clone(), i)).collect();
		let slots = options.slots;
		let mut generator = Self {
			node,
			genesis,
			workers,
			index,
			committed: HashMap::new(),
			slots,
			sent: 0,
			refused: 0,
		};

		let value = (100 + u128::from(slots) * 10) * DGC;
		let transfers = generator
			.workers
			.iter()
			.map(|worker| {
				let dest = worker.id.clone().into();
				RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive { dest, value })
			})
			.collect();
		let batch = RuntimeCall::Utility(pallet_utility::Call::batch_all { calls: transfers });
		let transfer = alice.sign(batch);
		generator.node.submit(&transfer).await?;
		generator
			.wait(|event| {
				matches!(event, RuntimeEvent::Utility(pallet_utility::Event::BatchCompleted))
			})
			.await?;
		for worker in 0..generator.workers.len() {
			let operator = generator.workers[worker].id.clone();
			generator
				.send(
					worker,
					RuntimeCall::Workers(pallet_workers::Call::register {
						operator,
						key: EncryptionKey(H256::repeat_byte(1)),
						capacity: Capacity { slots, memory_mib: 4096 },
						kinds: Kinds::from(TaskKind::Compute),
					}),
				)
				.await;
		}
		let task = RuntimeCall::Tasks(pallet_tasks::Call::submit { spec: spec() });
		let submit = alice.sign(task);
		generator.node.submit(&submit).await?;
		generator
			.wait(|event| {
				matches!(event, RuntimeEvent::Tasks(pallet_tasks::Event::Submitted { .. }))
			})
			.await?;
		for worker in 0..generator.workers.len() {
			generator.take(worker).await;
		}
		Ok(generator)
	}

	/// Waits for an event of the kind.
	async fn wait(&self, is: impl Fn(&RuntimeEvent) -> bool) -> Result<(), Error> {
		let mut heads = self.node.new_heads().await?;
		for _ in 0..20 {
			let Some(Ok(head)) = heads.next().await else { break };
			let hash = self.node.block_hash(Some(number(&head)?)).await?;
			if self.node.events(hash).await?.iter().any(|record| is(&record.event)) {
				return Ok(());
			}
		}
		Err(Error::Stuck("the preparation was not included within 20 blocks".into()))
	}

	async fn send(&mut self, worker: usize, call: RuntimeCall) {
		let Some(account) = self.workers.get_mut(worker) else { return };
		let extrinsic = account.sign(call);
		self.sent += 1;
		if let Err(error) = self.node.submit(&extrinsic).await {
			self.refused += 1;
			eprintln!("refused: {error}");
		}
	}

	async fn take(&mut self, worker: usize) {
		let slots = self.slots;
		self.send(worker, RuntimeCall::Tasks(pallet_tasks::Call::take { slots })).await;
	}

	/// Does what the events of a block ask of the workers.
	async fn react(&mut self, block: Hash, total: &mut Count) -> Result<(), Error> {
		for record in self.node.events(block).await? {
			match record.event {
				RuntimeEvent::Tasks(pallet_tasks::Event::Leased {
					task, range, worker, ..
				}) => {
					self.commit(task, range, &worker).await;
				},
				RuntimeEvent::Tasks(
					pallet_tasks::Event::Served { worker, .. }
					| pallet_tasks::Event::NothingFound { worker, .. },
				) => {
					if let Some(index) = self.index.get(&worker).copied() {
						self.take(index).await;
					}
				},
				RuntimeEvent::Verdicts(pallet_verdicts::Event::RevealStarted {
					task,
					range,
					..
				}) => {
					self.reveal(task, range).await;
				},
				RuntimeEvent::Verdicts(pallet_verdicts::Event::Committed { .. }) => {
					total.votes += 1
				},
				RuntimeEvent::Verdicts(pallet_verdicts::Event::Revealed { .. }) => total.votes += 1,
				RuntimeEvent::Verdicts(pallet_verdicts::Event::Decided { agreed, .. }) => {
					total.subtasks += u64::from(agreed);
				},
				_ => (),
			}
		}
		Ok(())
	}

	async fn commit(&mut self, task: TaskId, range: RangeIndex, who: &AccountId) {
		let Some(worker) = self.index.get(who).copied() else { return };
		// Nobody lies here, so that every vote is in round 0.
		let round = Round(0);
		let digests = digests(task, range);
		let ballot = Ballot { genesis: self.genesis, task, range, round };
		let commitment = ballot.commitment(who, &digests, &salt());
		self.committed.entry((task, range)).or_default().push(worker);
		let call = pallet_verdicts::Call::commit { task, range, commitment };
		self.send(worker, RuntimeCall::Verdicts(call)).await;
	}

	async fn reveal(&mut self, task: TaskId, range: RangeIndex) {
		for worker in self.committed.remove(&(task, range)).unwrap_or_default() {
			let digests = digests(task, range);
			let call = pallet_verdicts::Call::reveal { task, range, digests, salt: salt() };
			self.send(worker, RuntimeCall::Verdicts(call)).await;
		}
	}
}

fn salt() -> H256 {
	H256::repeat_byte(0x5a)
}

/// What every worker finds: each subtask's own digest.
fn digests(task: TaskId, range: RangeIndex) -> Digests {
	let digests = (0..RANGE).map(|subtask| {
		ResultDigest(H256(sp_io::hashing::blake2_256(
			&[task.0, u64::from(range.0), u64::from(subtask)].map(u64::to_le_bytes).concat(),
		)))
	});
	Digests::truncate_from(digests.collect())
}

fn spec() -> TaskSpec<u128> {
	TaskSpec {
		kind: TaskKind::Compute,
		manifest: ContentId { codec: ContentCodec::Raw, digest: H256::repeat_byte(1) },
		input_root: H256::repeat_byte(2),
		subtasks: 2_000_000,
		range_size: RANGE,
		replicas: 3,
		max_replicas: 3,
		reward: DGC / 100_000,
		limits: SubtaskLimits { time_ms: 100, memory_mib: 64, fuel: 1_000_000 },
		queue_timeout: HOURS,
		run_timeout: HOURS,
		selection: Selection::Any,
		payout: Payout::Pps,
		visibility: Visibility::Private,
		keep_solution: true,
	}
}
