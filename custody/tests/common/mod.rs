//! A small network for the tests: real contents in real folders, real custodies, and a chain that
//! says what a test wants.

#![allow(dead_code)] // Not every test needs all of it.

use std::{
	collections::{BTreeMap, BTreeSet},
	io,
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicBool, AtomicU64, Ordering},
		Arc, Mutex,
	},
};

use dgcs_content::{
	content_id::verify,
	get_blob,
	keys::{seal_release, HolderShares},
	put_blob, seal_result, Blob, BlockSink, BlockSource, Cut, Directory, EncryptionSecret, Ending,
	Input, Join, Manifest, Masternode, OwnerSecret, Plan, Prepared, Scope, TaskNonce,
	DEFAULT_SHARD_SIZE,
};
use dgcs_custody::{
	AccountId, Balance, Block, Chain, ChainError, Custody, Limits, Offer, Parts, PeerError, Peers,
	Receipt, Receipts, Secrets, Store,
};
use dgcs_primitives::{
	api::{MasternodeView, TaskInfo, TaskState, TaskView},
	doubles::task_spec,
	merkle_root, ChainRecord, ContentId, EncryptionKey, Outcome, RangeIndex, ResultDigest, Round,
	Settlement, Sums, TaskEnd, TaskId, Verdict, WorkBlock,
};
use sp_core::H256;
use tempfile::TempDir;

pub const OWNER: [u8; 32] = [200; 32];

pub fn account(byte: u8) -> AccountId {
	AccountId::new([byte; 32])
}

/// The finalised chain, as a test wants it.
#[derive(Default)]
pub struct TestChain {
	state: Mutex<State>,
	/// The state of each block that changed something.
	past: Mutex<BTreeMap<u32, Arc<State>>>,
	/// State reads, to see what a request costs.
	pub reads: AtomicU64,
	/// The blocks whose state is gone.
	pub pruned: Mutex<BTreeSet<u32>>,
}

#[derive(Clone, Default)]
pub struct State {
	pub number: u32,
	pub tasks: BTreeMap<TaskId, TaskInfo<AccountId, Balance>>,
	pub work: BTreeMap<TaskId, Vec<WorkBlock>>,
	/// Who did what, as the events of this block say.
	pub receipts: Receipts,
	pub leases: BTreeSet<(TaskId, RangeIndex, AccountId)>,
	pub workers: BTreeMap<AccountId, EncryptionKey>,
	pub masternodes: Vec<MasternodeView<AccountId, Balance>>,
}

impl TestChain {
	pub fn change(&self, change: impl FnOnce(&mut State)) {
		let mut state = self.state.lock().expect("no test panics while it holds this");
		state.receipts.clear();
		change(&mut state);
		state.number += 1;
		self.past.lock().expect("not poisoned").insert(state.number, Arc::new(state.clone()));
	}

	/// Finality is at block `number` again, as for a node that has lost its database. Gives what was the
	/// state, to go on with.
	pub fn rewind(&self, number: u32) -> State {
		let then = self.state_at(H256::from_low_u64_be(number.into()));
		let mut state = self.state.lock().expect("not poisoned");
		std::mem::replace(&mut *state, State { number, ..(*then).clone() })
	}

	/// Finality is at this state.
	pub fn catch_up(&self, state: State) {
		*self.state.lock().expect("not poisoned") = state;
	}

	fn read<T>(&self, at: H256, read: impl FnOnce(&State) -> T) -> Result<T, ChainError> {
		self.reads.fetch_add(1, Ordering::Relaxed);
		if self.pruned.lock().expect("not poisoned").contains(&(at.to_low_u64_be() as u32)) {
			return Err(ChainError("the state is gone".into()));
		}
		Ok(read(&self.state_at(at)))
	}

	fn state_at(&self, at: H256) -> Arc<State> {
		let past = self.past.lock().expect("not poisoned");
		let then = past.range(..=at.to_low_u64_be() as u32).next_back();
		then.map(|(_, state)| state.clone()).unwrap_or_default()
	}
}

impl Chain for TestChain {
	fn finalised(&self) -> Result<Block, ChainError> {
		let number = self.state.lock().expect("not poisoned").number;
		Ok(Block { hash: H256::from_low_u64_be(number.into()), number })
	}

	fn block(&self, number: u32) -> Result<Option<Block>, ChainError> {
		Ok(Some(Block { hash: H256::from_low_u64_be(number.into()), number }))
	}

	fn live_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		self.read(at, |state| {
			let live = |(id, info): (&TaskId, &TaskInfo<_, _>)| {
				matches!(info, TaskInfo::Live(_)).then_some(*id)
			};
			state.tasks.iter().filter_map(live).collect()
		})
	}

	fn changed_tasks(&self, at: H256) -> Result<Vec<TaskId>, ChainError> {
		let before = self.state_at(H256::from_low_u64_be(at.to_low_u64_be().saturating_sub(1)));
		self.read(at, |state| {
			let ids: BTreeSet<TaskId> =
				state.tasks.keys().chain(before.tasks.keys()).copied().collect();
			let of = |state: &State, id: &TaskId| {
				(state.tasks.get(id).cloned(), state.work.get(id).cloned())
			};
			ids.into_iter().filter(|id| of(state, id) != of(&before, id)).collect()
		})
	}

	fn task(
		&self,
		at: H256,
		task: TaskId,
	) -> Result<Option<TaskInfo<AccountId, Balance>>, ChainError> {
		self.read(at, |state| state.tasks.get(&task).cloned())
	}

	fn work_chain(&self, at: H256, task: TaskId, from: u32) -> Result<Vec<WorkBlock>, ChainError> {
		// Two at a time, so that reading goes on.
		self.read(at, |state| {
			let blocks = state.work.get(&task).map_or(&[][..], |blocks| blocks);
			blocks.iter().skip(from as usize).take(2).cloned().collect()
		})
	}

	fn receipts(&self, at: H256) -> Result<Receipts, ChainError> {
		self.read(at, |state| state.receipts.clone())
	}

	fn worker_key(
		&self,
		at: H256,
		worker: &AccountId,
	) -> Result<Option<EncryptionKey>, ChainError> {
		self.read(at, |state| state.workers.get(worker).copied())
	}

	fn has_lease(
		&self,
		at: H256,
		task: TaskId,
		range: Option<RangeIndex>,
		worker: &AccountId,
	) -> Result<bool, ChainError> {
		self.read(at, |state| {
			state.leases.iter().any(|(other, leased, who)| {
				(*other, who) == (task, worker) && range.is_none_or(|range| range == *leased)
			})
		})
	}

	fn masternodes(&self, at: H256) -> Result<Vec<MasternodeView<AccountId, Balance>>, ChainError> {
		self.read(at, |state| state.masternodes.clone())
	}
}

/// Folders of blocks that can be reached.
#[derive(Default)]
pub struct Network(Mutex<BTreeMap<PathBuf, Arc<Directory>>>);

impl Network {
	pub fn join(&self, folder: &Path) -> Arc<Directory> {
		let directory = Arc::new(Directory::open(folder).expect("can be made"));
		self.0.lock().expect("not poisoned").insert(folder.into(), directory.clone());
		directory
	}

	pub fn leave(&self, folder: &Path) {
		self.0.lock().expect("not poisoned").remove(folder);
	}
}

/// A folder of blocks that gets from the network what it does not have.
pub struct Shelf {
	pub local: Arc<Directory>,
	network: Arc<Network>,
	pub pins: Mutex<BTreeSet<H256>>,
	pub fetched: AtomicU64,
	pub asked: AtomicU64,
	pub full: AtomicBool,
}

impl Shelf {
	pub fn is_pinned(&self, id: &ContentId) -> bool {
		self.pins.lock().expect("not poisoned").contains(&id.digest)
	}
}

impl BlockSink for Shelf {
	fn put(&self, id: &ContentId, bytes: &[u8]) -> io::Result<()> {
		self.local.put(id, bytes)
	}
}

impl BlockSource for Shelf {
	fn get(&self, id: &ContentId, limit: usize) -> io::Result<Option<Vec<u8>>> {
		if let Some(bytes) = self.local.get(id, limit)? {
			return Ok(Some(bytes));
		}
		self.asked.fetch_add(1, Ordering::Relaxed);
		let others: Vec<_> =
			self.network.0.lock().expect("not poisoned").values().cloned().collect();
		for other in others {
			if let Some(bytes) = other.get(id, limit)? {
				self.fetched.fetch_add(bytes.len() as u64, Ordering::Relaxed);
				if verify(id, &bytes).is_ok() {
					self.local.put(id, &bytes)?;
				}
				return Ok(Some(bytes));
			}
		}
		Ok(None)
	}
}

impl Store for Shelf {
	fn has(&self, id: &ContentId) -> io::Result<bool> {
		Ok(self.local.path_of(id).exists())
	}

	fn pin(&self, Blob { id, .. }: &Blob) -> io::Result<()> {
		if self.full.load(Ordering::Relaxed) {
			return Err(io::Error::other("the disk is full"));
		}
		assert!(self.has(id)?, "only what is here is pinned");
		self.pins.lock().expect("not poisoned").insert(id.digest);
		Ok(())
	}

	fn unpin(&self, id: &ContentId) -> io::Result<()> {
		self.pins.lock().expect("not poisoned").remove(&id.digest);
		Ok(())
	}

	fn provide(&self, id: &ContentId) -> io::Result<()> {
		assert!(self.is_pinned(id), "only what stays is offered");
		Ok(())
	}

	fn addresses(&self) -> Vec<String> {
		vec![format!("/ip4/127.0.0.1/tcp/4001/p2p/{}", self.local.path().display())]
	}
}

/// Masternodes by their addresses.
#[derive(Default)]
pub struct Directly(Mutex<BTreeMap<String, Arc<Custody>>>);

impl Peers for Directly {
	fn hand_over(&self, address: &str, offer: &Offer) -> Result<(), PeerError> {
		let found = self.0.lock().expect("not poisoned").get(address).cloned();
		let address = address.to_owned();
		let unreachable = |reason| PeerError::Unreachable { address: address.clone(), reason };
		found.ok_or_else(|| unreachable("nobody is there".into()))?.accept(offer).map_err(|error| {
			let (address, reason) = (address.clone(), error.to_string());
			match error.is_temporary() {
				true => PeerError::NotReady { address, reason },
				false => PeerError::Refused { address, reason },
			}
		})
	}
}

/// One masternode.
pub struct Node {
	pub account: AccountId,
	pub secret: EncryptionSecret,
	pub address: String,
	pub shelf: Arc<Shelf>,
	pub custody: Arc<Custody>,
	pub folder: PathBuf,
}

/// All of it.
pub struct World {
	pub folder: TempDir,
	pub chain: Arc<TestChain>,
	pub network: Arc<Network>,
	pub peers: Arc<Directly>,
	pub nodes: Vec<Node>,
	pub owner: Arc<Directory>,
	pub limits: Limits,
	next_task: Mutex<u64>,
}

/// A task that was submitted.
pub struct Task {
	pub id: TaskId,
	pub prepared: Prepared,
	pub secret: OwnerSecret,
}

impl World {
	pub fn new(masternodes: u8) -> Self {
		Self::with_limits(masternodes, Limits::default())
	}

	pub fn with_limits(masternodes: u8, limits: Limits) -> Self {
		let folder = tempfile::tempdir().expect("a temporary folder");
		let network = Arc::new(Network::default());
		let owner = network.join(&folder.path().join("owner"));
		let mut world = World {
			chain: Arc::default(),
			peers: Arc::default(),
			nodes: Vec::new(),
			next_task: Mutex::new(1),
			folder,
			network,
			owner,
			limits,
		};
		(0..masternodes).for_each(|number| world.join(number));
		world
	}

	/// One more masternode joins, and is active.
	pub fn join(&mut self, number: u8) {
		let folder = self.folder.path().join(format!("masternode {number}"));
		let secret = EncryptionSecret::random();
		let (account, address) = (account(number), format!("ws://masternode-{number}"));
		let node = self.start(account, secret, address, folder);
		let view = MasternodeView {
			account: node.account.clone(),
			bond: 1,
			key: node.secret.public(),
			address: node.address.clone().into_bytes().try_into().expect("short"),
			active: true,
			authored: 0,
		};
		self.chain.change(|state| state.masternodes.push(view));
		self.nodes.push(node);
	}

	/// Starts a custody, new or over what is in `folder`.
	pub fn start(
		&self,
		account: AccountId,
		secret: EncryptionSecret,
		address: String,
		folder: PathBuf,
	) -> Node {
		let shelf = Arc::new(Shelf {
			local: self.network.join(&folder.join("blocks")),
			network: self.network.clone(),
			pins: Mutex::default(),
			fetched: AtomicU64::new(0),
			asked: AtomicU64::new(0),
			full: AtomicBool::new(false),
		});
		let mut secrets = Secrets::default();
		secrets.add(secret.clone());
		let custody = Custody::open(Parts {
			account: account.clone(),
			chain: self.chain.clone(),
			store: shelf.clone(),
			peers: self.peers.clone(),
			secrets,
			ledger: folder.join("ledger"),
			limits: self.limits.clone(),
		});
		let custody = Arc::new(custody.expect("the folder can be written"));
		let mut peers = self.peers.0.lock().expect("not poisoned");
		peers.insert(address.clone(), custody.clone());
		Node { account, secret, address, shelf, custody, folder }
	}

	/// Stops a masternode and starts it again.
	pub fn restart(&mut self, number: usize) {
		let Node { account, secret, address, folder, shelf, .. } = self.nodes.remove(number);
		let pins = shelf.pins.lock().expect("not poisoned").clone();
		let node = self.start(account, secret, address, folder);
		*node.shelf.pins.lock().expect("not poisoned") = pins;
		self.nodes.insert(number, node);
	}

	/// A masternode goes away for good, or seems to.
	pub fn unplug(&self, number: usize) {
		self.peers.0.lock().expect("not poisoned").remove(&self.nodes[number].address);
	}

	/// A masternode leaves: it is no longer bonded.
	pub fn leave(&self, number: usize) {
		let account = self.nodes[number].account.clone();
		self.chain.change(|state| state.masternodes.retain(|other| other.account != account));
	}

	pub fn owner_goes_offline(&self) {
		self.network.leave(&self.folder.path().join("owner"));
	}

	/// Prepares a task of the owner's.
	pub fn prepare(&self, input: &Input, cut: Cut, range_size: u32) -> (Prepared, OwnerSecret) {
		let seed = self.next_task.lock().expect("not poisoned");
		let secret = OwnerSecret::from_bytes([*seed as u8; 32]);
		let program = put_blob(&*self.owner, b"a program, the same in every test").expect("room");
		let masternodes = self
			.nodes
			.iter()
			.map(|node| Masternode {
				account: H256(*node.account.as_ref()),
				key: node.secret.public(),
			})
			.collect();
		let plan = Plan {
			cut,
			join: Join::Concatenate,
			merge: None,
			range_size,
			shard_size: DEFAULT_SHARD_SIZE,
			program,
			arguments: vec!["--argument".into()],
			environment: Vec::new(),
			masternodes,
		};
		let nonce = TaskNonce([*seed as u8; 32]);
		let prepared =
			dgcs_content::prepare(input, &plan, &secret, nonce, &*self.owner, &mut |_| {});
		(prepared.expect("a good input"), secret)
	}

	/// Submits a task: it is live in the next finalised block.
	pub fn submit(&self, (prepared, secret): (Prepared, OwnerSecret), paid: Balance) -> Task {
		let mut next = self.next_task.lock().expect("not poisoned");
		let id = TaskId(*next);
		*next += 1;
		let view = view(&prepared, paid);
		self.chain.change(|state| {
			state.tasks.insert(id, TaskInfo::Live(view));
		});
		Task { id, prepared, secret }
	}

	/// A small task without input, of so many subtasks in ranges of two.
	pub fn small_task(&self, subtasks: u32, paid: Balance) -> Task {
		self.submit(self.prepare(&Input::Nothing, Cut::Index(subtasks), 2), paid)
	}

	/// A worker is registered.
	pub fn worker(&self, byte: u8) -> (AccountId, EncryptionSecret) {
		let secret = EncryptionSecret::random();
		self.chain.change(|state| {
			state.workers.insert(account(byte), secret.public());
		});
		(account(byte), secret)
	}

	/// A worker is drawn.
	pub fn lease(&self, task: TaskId, range: u32, worker: &AccountId) {
		self.chain.change(|state| {
			state.leases.insert((task, RangeIndex(range), worker.clone()));
		});
	}

	/// Results are stored by a worker and decided on, one verdict a block.
	pub fn decide(&self, task: &Task, worker: &Directory, outputs: &[&[u8]]) -> Vec<ResultDigest> {
		let manifest = &task.prepared.manifest;
		let mut digests = Vec::new();
		for (subtask, output) in (0u32..).zip(outputs) {
			let range = RangeIndex(subtask / manifest.range_size);
			let key = task.secret.task(&manifest.nonce).scope(Scope::Range(range));
			let digest = seal_result(worker, &key, Round(0), subtask, Ending::Ok, &mut &output[..])
				.expect("room");
			self.verdict(task.id, subtask, range, digest);
			digests.push(digest);
		}
		digests
	}

	pub fn verdict(&self, task: TaskId, subtask: u32, range: RangeIndex, digest: ResultDigest) {
		self.verdict_saying(task, subtask, range, digest, receipts(subtask));
	}

	/// A verdict whose event says that `said` are the receipts of its block.
	pub fn verdict_saying(
		&self,
		task: TaskId,
		subtask: u32,
		range: RangeIndex,
		digest: ResultDigest,
		said: Vec<Receipt>,
	) {
		self.chain.change(|state| {
			let blocks = state.work.entry(task).or_default();
			let verdict = Verdict { subtask: subtask as u8 % 64, outcome: Outcome::Agreed(digest) };
			let block = WorkBlock {
				task,
				index: blocks.len() as u32,
				parent: H256::zero(),
				// The block that this change makes.
				when: state.number + 1,
				open_subtasks: 0,
				range,
				round: Round(0),
				verdicts: vec![verdict].try_into().expect("one"),
				receipts_root: merkle_root(&receipts(subtask)),
			};
			state.receipts.insert((task, block.index), said);
			blocks.push(block);
			if let Some(TaskInfo::Live(view)) = state.tasks.get_mut(&task) {
				view.height = blocks.len() as u32;
			}
		});
	}

	/// A task ends.
	pub fn settle(&self, task: TaskId, kept: bool) {
		self.chain.change(|state| {
			state.tasks.remove(&task);
			state.work.remove(&task);
			state.leases.retain(|(other, ..)| *other != task);
			if kept {
				let settlement = Settlement {
					owner: AccountId::new(OWNER),
					when: state.number,
					end: TaskEnd::Completed,
					chain: ChainRecord::default(),
					sums: Sums::default(),
				};
				state.tasks.insert(task, TaskInfo::Settled(settlement));
			}
		});
	}

	/// Holder 0's shares, offered to a masternode by hand; the sealed blob is changed first.
	pub fn offer(&self, task: &Task, heir: usize, change: impl FnOnce(&mut Vec<u8>)) -> Offer {
		let manifest = &task.prepared.manifest;
		let Blob { id, len } = manifest.holders[0].shares;
		let blob = get_blob(&*self.owner, &id, len).expect("prepared");
		let (secret, root) = (&self.nodes[0].secret, &manifest.holders[0].shares_root);
		let count = manifest.shared_keys();
		let shares = HolderShares::open(&blob, secret, &manifest.nonce, 0, count, root);
		let shares = shares.expect("its own");
		let heir = self.nodes[heir].secret.public();
		let mut sealed = shares.reseal(&heir, &manifest.nonce, 0).expect("a good key");
		change(&mut sealed);
		let blob = put_blob(&*self.owner, &sealed).expect("room");
		let scope = Offer::challenge(&blob.id, count);
		let proof = seal_release(&shares, &manifest.nonce, 0, scope, &heir).expect("a good key");
		Offer { task: task.id, holder: 0, blob, proof }
	}

	/// So many blocks in which nothing happens.
	pub fn pass(&self, blocks: u32) {
		self.chain.change(|state| state.number += blocks - 1);
	}
}

/// Who did what at the verdict on a subtask.
pub fn receipts(subtask: u32) -> Vec<Receipt> {
	let receipt = |worker| Receipt {
		worker: account(worker),
		agreed: 1,
		dissented: 0,
		paid: Balance::from(subtask),
	};
	(1..=3).map(receipt).collect()
}

impl Node {
	/// Reads the finalised chain, and does all that can be done now.
	pub fn catch_up(&self) {
		self.custody.sync().expect("the chain is there");
		while let Some(job) = self.custody.next() {
			self.custody.perform(job);
		}
	}
}

pub fn catch_up(world: &World) {
	world.nodes.iter().for_each(Node::catch_up);
}

pub fn view(prepared: &Prepared, paid: Balance) -> TaskView<AccountId, Balance> {
	let manifest = &prepared.manifest;
	let Manifest { subtasks, range_size, .. } = *manifest;
	TaskView {
		owner: AccountId::new(OWNER),
		spec: task_spec(prepared.id, manifest.input_root(), subtasks, range_size),
		state: TaskState::Queued,
		due: 1,
		reward: 1,
		held: paid,
		begun_ranges: 0,
		open_subtasks: subtasks,
		agreed: 0,
		failed: 0,
		height: 0,
	}
}
