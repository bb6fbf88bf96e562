//! The state of the chain as of one block, in types.
//!
//! Reads of tasks, workers and masternodes go through the runtime API behind the node's `dgcs_*`
//! methods, in SCALE: the same answers, without a detour over JSON.

use std::collections::BTreeSet;

use codec::{Decode, Encode};
use dgcs_primitives::{
	api::{
		Capacity, EstimateError, MasternodeView, QueuePosition, TaskInfo, WorkerView,
		MAX_BLOCKS_PER_CALL, MAX_TASKS_PER_CALL,
	},
	Head as WorkChainHead, Price, RangeIndex, Refusal, TaskId, TaskSpec, WorkBlock,
};
use subxt::{
	ext::scale_decode::DecodeAsType,
	rpcs::rpc_params,
	storage::{Address, PrefixOf},
};

use crate::{
	chain::unhex,
	runtime::{api, Runtime},
	vote::RangeVote,
	work_chain::WorkChain,
	AccountId, Balance, Chain, Error, Head, Result,
};

/// Most keys that are asked for at once.
const PAGE: u32 = 256;

/// The state as of one block.
#[derive(Clone, Debug)]
pub struct At {
	chain: Chain,
	block: Head,
	runtime: Runtime,
}

/// Money of an account, in the smallest unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funds {
	/// What is not on hold, part of which may be frozen.
	pub free: Balance,
	/// On hold: for tasks, and as bonds.
	pub held: Balance,
	/// What can be spent: `free` without what is frozen or keeps the account alive.
	pub spendable: Balance,
}

impl At {
	pub(crate) fn new(chain: Chain, block: Head, runtime: Runtime) -> Self {
		At { chain, block, runtime }
	}

	/// The block.
	pub fn block(&self) -> Head {
		self.block
	}

	pub(crate) fn runtime(&self) -> &Runtime {
		&self.runtime
	}

	/// The task, live or settled. `None`: never submitted, or ended with nothing kept.
	pub async fn task(&self, task: TaskId) -> Result<Option<TaskInfo<AccountId, Balance>>> {
		self.call("DgcsApi_task", task).await
	}

	/// Where the task waits. `None`: not in the queue.
	pub async fn queue_position(&self, task: TaskId) -> Result<Option<QueuePosition>> {
		self.call("DgcsApi_queue_position", task).await
	}

	/// The worker. `None`: not registered.
	pub async fn worker(
		&self,
		account: &AccountId,
	) -> Result<Option<WorkerView<AccountId, Balance>>> {
		self.call("DgcsApi_worker", account).await
	}

	/// All bonded masternodes, highest bond first.
	pub async fn masternodes(&self) -> Result<Vec<MasternodeView<AccountId, Balance>>> {
		self.call("DgcsApi_masternodes", ()).await
	}

	/// What a task would cost, or why it would be refused.
	pub async fn estimate(
		&self,
		spec: &TaskSpec<Balance>,
	) -> Result<std::result::Result<Price<Balance>, EstimateError>> {
		self.call("DgcsApi_estimate", spec).await
	}

	/// The end of a live task's work chain. `None`: the task is not live.
	pub async fn work_chain_head(&self, task: TaskId) -> Result<Option<WorkChainHead>> {
		let head = self.fetch(api::storage().verdicts().heads(), (task.into(),)).await?;
		Ok(head.map(|head| head.0))
	}

	/// The whole work chain of a live task, verified against its head in the state of the same block.
	/// `None`: the task is not live.
	pub async fn work_chain(&self, task: TaskId) -> Result<Option<WorkChain>> {
		let mut chain = WorkChain::new(task);
		Ok(self.extend_work_chain(&mut chain).await?.then_some(chain))
	}

	/// Adds the blocks that a work chain does not have yet, and verifies all of it. What does not fit
	/// (blocks of a fork that was given up) is fetched anew. `false`: the task is not live, and
	/// nothing was changed.
	pub async fn extend_work_chain(&self, chain: &mut WorkChain) -> Result<bool> {
		let task = chain.task();
		let Some(head) = self.work_chain_head(task).await? else { return Ok(false) };
		let mut longer = chain.clone();
		longer.truncate(head.height);
		if self.append(&mut longer, &head).await.is_err() {
			longer = WorkChain::new(task);
			self.append(&mut longer, &head).await?;
		}
		*chain = longer;
		Ok(true)
	}

	async fn append(&self, chain: &mut WorkChain, head: &WorkChainHead) -> Result<()> {
		let task = chain.task();
		while chain.height() < head.height {
			let arguments = (task, chain.height(), MAX_BLOCKS_PER_CALL);
			let page: Option<Vec<WorkBlock>> = self.call("DgcsApi_work_chain", arguments).await?;
			let page = page.unwrap_or_default();
			if page.is_empty() {
				let reason = format!("block {} of {} is missing", chain.height(), head.height);
				return Err(Error::FalseWorkChain { task, reason });
			}
			for block in page {
				chain.push(block)?;
			}
		}
		chain.verify(&head.record())
	}

	/// The vote on a range. `None`: nobody has a lease on it yet, or all of it is decided.
	pub async fn vote(&self, task: TaskId, range: RangeIndex) -> Result<Option<RangeVote>> {
		let ranges = api::storage().verdicts().ranges();
		Ok(self.fetch(ranges, (task.into(), range.into())).await?.map(|vote| vote.0))
	}

	/// All votes of one task that are going on.
	pub async fn votes_of_task(&self, task: TaskId) -> Result<Vec<(RangeIndex, RangeVote)>> {
		let votes = self.entries(api::storage().verdicts().ranges(), (task.into(),)).await?;
		votes.into_iter().map(|(key, vote)| Ok((range_of(&key)?, vote.0))).collect()
	}

	/// All votes in which a worker has a seat. Walks over all ranges of the network that are being
	/// computed: for a worker that starts and knows nothing; afterwards events say what is new.
	pub async fn votes_of_worker(
		&self,
		worker: &AccountId,
	) -> Result<Vec<(TaskId, RangeIndex, RangeVote)>> {
		let votes = self.entries(api::storage().verdicts().ranges(), ()).await?;
		let theirs = votes.into_iter().filter(|(_, vote)| vote.seat(worker).is_some());
		theirs.map(|(key, vote)| Ok((task_of(&key)?, range_of(&key)?, vote.0))).collect()
	}

	/// All live tasks, by their ids. For masternodes; the list is as long as the network is busy.
	pub async fn live_tasks(&self) -> Result<Vec<TaskId>> {
		let function = "DgcsApi_live_tasks";
		let (mut tasks, mut after) = (BTreeSet::new(), None);
		loop {
			let page: Vec<TaskId> = self.call(function, (after, MAX_TASKS_PER_CALL)).await?;
			// A node that does not go forward would keep this going for ever.
			if !page.iter().all(|task| tasks.insert(*task)) {
				return Err(Error::answer(function, "a task is named twice"));
			}
			if page.len() < MAX_TASKS_PER_CALL as usize {
				return Ok(tasks.into_iter().collect());
			}
			after = page.last().copied();
		}
	}

	/// The tasks whose state, money or work chain changed in the block, those that ended among them.
	pub async fn changed_tasks(&self) -> Result<Vec<TaskId>> {
		self.call("DgcsApi_changed_tasks", ()).await
	}

	/// The accounts of registered workers, in the order of the storage and no more than `most`.
	pub async fn workers(&self, most: usize) -> Result<Vec<AccountId>> {
		let prefix = {
			let storage = self.runtime.offline.storage();
			// Keys alone: what a worker looks like in storage may change.
			let workers = api::storage().workers().workers().unvalidated();
			let entry = storage.entry(workers).map_err(unusable)?;
			entry.key_prefix()
		};
		let keys = self.keys_up_to(&prefix, most).await?;
		let account = |key: &Vec<u8>| key_at(key, WORKER_KEY).map(AccountId::new);
		keys.iter().take(most).map(account).collect()
	}

	/// Whether a worker waits in the line for work.
	pub async fn is_asking(&self, worker: &AccountId) -> Result<bool> {
		let asking = api::storage().tasks().asking();
		Ok(self.fetch(asking, (worker.clone().into(),)).await?.is_some())
	}

	/// Whether a task waits that asks for no more than the worker offers, or the most telling reason why
	/// none does.
	pub async fn prospects(&self, worker: &AccountId) -> Result<std::result::Result<(), Refusal>> {
		self.view("Tasks", "prospects", worker).await
	}

	/// Whether an account would get work if there were any for it, or why not.
	pub async fn can_work(&self, account: &AccountId) -> Result<std::result::Result<(), Refusal>> {
		self.view("Workers", "can_work", account).await
	}

	/// The bond that a worker with this capacity needs.
	pub async fn bond_required(&self, capacity: Capacity) -> Result<Balance> {
		self.view("Workers", "bond_required", capacity).await
	}

	/// The money of an account.
	pub async fn funds(&self, account: &AccountId) -> Result<Funds> {
		let accounts = api::storage().system().account();
		let Some(info) = self.fetch(accounts, (account.clone().into(),)).await? else {
			return Ok(Funds::default());
		};
		let (free, held, frozen) = (info.data.free, info.data.reserved, info.data.frozen);
		// A freeze may rest on what is on hold; what keeps the account alive may not.
		let kept = frozen.saturating_sub(held).max(self.existential_deposit()?);
		Ok(Funds { free, held, spendable: free.saturating_sub(kept) })
	}

	/// The least that an account must have to exist.
	pub fn existential_deposit(&self) -> Result<Balance> {
		self.constant(api::constants().balances().existential_deposit())
	}

	/// Milliseconds between two blocks.
	pub fn block_time(&self) -> Result<u64> {
		self.constant(api::constants().babe().expected_block_time())
	}

	/// A constant of the runtime, by its address in [`api::constants`].
	pub fn constant<A: subxt::constants::Address>(&self, address: A) -> Result<A::Target>
	where
		A::Target: DecodeAsType,
	{
		self.runtime.offline.constants().entry(address).map_err(unusable)
	}

	/// Calls a function of the runtime, whose arguments are encoded one after the other.
	pub(crate) async fn call<T: Decode>(
		&self,
		function: &str,
		arguments: impl Encode,
	) -> Result<T> {
		self.chain.call(function, &arguments.encode(), self.block.hash).await
	}

	/// Calls a view function of a pallet.
	async fn view<T: Decode>(&self, pallet: &str, name: &str, arguments: impl Encode) -> Result<T> {
		let what = format!("{pallet}.{name}");
		let metadata = self.runtime.offline.metadata_ref();
		let id = metadata
			.pallet_by_name(pallet)
			.and_then(|pallet| pallet.view_function_by_name(name).map(|view| *view.query_id()))
			.ok_or_else(|| Error::answer(&what, "the runtime has no such view function"))?;
		let arguments = (id, arguments.encode());
		let function = "RuntimeViewFunction_execute_view_function";
		let answer: std::result::Result<Vec<u8>, ViewError> =
			self.call(function, arguments).await?;
		let bytes = answer.map_err(|error| Error::answer(&what, error.text()))?;
		T::decode(&mut &bytes[..]).map_err(|error| Error::answer(what, error))
	}

	/// One value of the storage. `None`: there is none, whatever the default.
	pub async fn fetch<A: Address>(
		&self,
		address: A,
		keys: A::KeyParts,
	) -> Result<Option<A::Value>> {
		let key = {
			let storage = self.runtime.offline.storage();
			let entry = storage.entry(&address).map_err(unusable)?;
			entry.fetch_key(keys).map_err(unusable)?
		};
		let value = self.value(&key).await?;
		value.map(|bytes| self.decode(&address, &bytes)).transpose()
	}

	/// All values of a map of the storage whose keys begin with `keys`, each with its raw key.
	async fn entries<A: Address, K: PrefixOf<A::KeyParts>>(
		&self,
		address: A,
		keys: K,
	) -> Result<Vec<(Vec<u8>, A::Value)>> {
		#[derive(serde::Deserialize)]
		struct Page {
			changes: Vec<(String, Option<String>)>,
		}
		let prefix = {
			let storage = self.runtime.offline.storage();
			let entry = storage.entry(&address).map_err(unusable)?;
			entry.iter_key(keys).map_err(unusable)?
		};
		let mut found = Vec::new();
		for keys in self.keys(&prefix).await?.chunks(PAGE as usize) {
			let keys: Vec<String> = keys.iter().map(|key| to_hex(key)).collect();
			let params = rpc_params![keys, self.block.hash];
			let method = "state_queryStorageAt";
			let pages: Vec<Page> = self.chain.request(method, params).await?;
			for (key, value) in pages.into_iter().flat_map(|page| page.changes) {
				let Some(value) = value else { continue };
				let value = self.decode(&address, &unhex(method, &value)?)?;
				found.push((unhex(method, &key)?, value));
			}
		}
		Ok(found)
	}

	/// The keys of the storage that begin with `prefix`.
	async fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>> {
		self.keys_up_to(prefix, usize::MAX).await
	}

	/// As [`Self::keys`], and asks for no more once there are `most`.
	async fn keys_up_to(&self, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>> {
		let prefix = to_hex(prefix);
		let mut keys: Vec<Vec<u8>> = Vec::new();
		loop {
			let last = keys.last().map(|key| to_hex(key));
			let params = rpc_params![&prefix, PAGE, last, self.block.hash];
			let method = "state_getKeysPaged";
			let page: Vec<String> = self.chain.request(method, params).await?;
			for key in &page {
				let key = unhex(method, key)?;
				// A node that does not go forward would keep this going for ever.
				if keys.last().is_some_and(|last| *last >= key) {
					return Err(Error::answer(method, "keys are not in order"));
				}
				keys.push(key);
			}
			if page.len() < PAGE as usize || keys.len() >= most {
				return Ok(keys);
			}
		}
	}

	async fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
		let params = rpc_params![to_hex(key), self.block.hash];
		let method = "state_getStorage";
		let value: Option<String> = self.chain.request(method, params).await?;
		value.map(|text| unhex(method, &text)).transpose()
	}

	fn decode<A: Address>(&self, address: &A, bytes: &[u8]) -> Result<A::Value> {
		let what = || format!("{}.{}", address.pallet_name(), address.entry_name());
		let metadata = self.runtime.offline.metadata_ref();
		let entry = metadata
			.pallet_by_name(address.pallet_name())
			.and_then(|pallet| pallet.storage()?.entry_by_name(address.entry_name()))
			.ok_or_else(|| Error::answer(what(), "the runtime has no such storage"))?;
		A::Value::decode_as_type(&mut &bytes[..], entry.value_ty(), metadata.types())
			.map_err(|error| Error::answer(what(), error))
	}
}

/// Where the first key of a map is: after the hashes of pallet, storage and the key itself, which is
/// Twox64Concat.
const FIRST_KEY: usize = 16 + 16 + 8;
/// Where the account of a worker is: its key is Blake2_128Concat.
const WORKER_KEY: usize = 16 + 16 + 16;
/// Where the second key of a double map by task is.
const SECOND_KEY: usize = FIRST_KEY + 8 + 8;

fn task_of(key: &[u8]) -> Result<TaskId> {
	key_at(key, FIRST_KEY)
}

fn range_of(key: &[u8]) -> Result<RangeIndex> {
	key_at(key, SECOND_KEY)
}

fn key_at<T: Decode>(key: &[u8], start: usize) -> Result<T> {
	let mut rest = key.get(start..).unwrap_or_default();
	T::decode(&mut rest).map_err(|error| Error::answer("a key of the storage", error))
}

fn to_hex(bytes: &[u8]) -> String {
	format!("0x{}", hex::encode(bytes))
}

/// Why a view function has no answer (`frame_support::view_functions`).
#[derive(Clone, Copy, Decode)]
enum ViewError {
	NotImplemented,
	#[allow(dead_code)] // The id that was sent.
	NotFound([u8; 32]),
	Codec,
}

impl ViewError {
	fn text(self) -> &'static str {
		match self {
			ViewError::NotImplemented => "the runtime has no view functions",
			ViewError::NotFound(_) => "the runtime has no such view function",
			ViewError::Codec => "the runtime can't read the arguments",
		}
	}
}

/// What subxt makes of an address that the runtime does not have. A connection checks that it has.
fn unusable(error: impl ToString) -> Error {
	Error::answer("the runtime's metadata", error)
}
