//! What the `dgcs_*` methods return: camelCase; amounts and fuel as strings of digits, since they
//! may be above what a JSON number holds in JavaScript; hashes and keys as `0x` hexadecimal;
//! accounts as SS58 addresses.

use dgcs_primitives::{
	api::{
		Capacity, MasternodeView, QueuePosition, RangeView, SeatStage, SeatView, Standing,
		TaskInfo, TaskState, TaskView, WorkerView,
	},
	ChainRecord, EncryptionKey, Kinds, Outcome, Price, RangeIndex, ResultDigest, Round, Settlement,
	TaskEnd, TaskId, TaskKind, TaskSpec, WorkBlock,
};
use dgcs_rpc::{Digits, SpecJson};
use dgcs_runtime::{AccountId, Balance};
use serde::Serialize;
use sp_core::H256;

type Amount = Digits<Balance>;

/// A task, as `dgcs_task` returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "camelCase")]
pub enum TaskJson {
	/// Waits for its first lease.
	Queued(LiveTaskJson),
	/// Is being computed.
	Running(LiveTaskJson),
	/// Was cancelled; what was begun is decided.
	Cancelling(LiveTaskJson),
	/// Has ended; this is what is kept.
	Settled(SettledTaskJson),
}

/// A task that has not ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveTaskJson {
	task: TaskId,
	owner: AccountId,
	spec: SpecJson,
	/// The block in which its status ends by itself.
	due: u32,
	/// What one result earns now: the specification's reward and what was added on top.
	reward: Amount,
	held: Amount,
	ranges: u32,
	begun_ranges: u32,
	open_subtasks: u32,
	agreed: u32,
	failed: u32,
	/// Blocks in its work chain.
	height: u32,
}

/// A task that has ended. `deposited == paid + masternodes + refunded`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettledTaskJson {
	task: TaskId,
	owner: AccountId,
	/// The block in which it ended.
	when: u32,
	end: TaskEnd,
	chain: ChainRecord,
	paid: Amount,
	masternodes: Amount,
	refunded: Amount,
}

impl TaskJson {
	/// The task `task`, from what the runtime knows about it.
	pub fn new(task: TaskId, info: TaskInfo<AccountId, Balance>) -> Self {
		match info {
			TaskInfo::Live(view) => {
				let status = match view.state {
					TaskState::Queued => TaskJson::Queued,
					TaskState::Running => TaskJson::Running,
					TaskState::Cancelling => TaskJson::Cancelling,
				};
				status(LiveTaskJson::new(task, view))
			},
			TaskInfo::Settled(settlement) => {
				let Settlement { owner, when, end, chain, sums } = settlement;
				TaskJson::Settled(SettledTaskJson {
					task,
					owner,
					when,
					end,
					chain,
					paid: Digits(sums.paid),
					masternodes: Digits(sums.masternodes),
					refunded: Digits(sums.refunded),
				})
			},
		}
	}
}

impl LiveTaskJson {
	fn new(task: TaskId, view: TaskView<AccountId, Balance>) -> Self {
		let ranges = view.spec.ranges();
		LiveTaskJson {
			task,
			owner: view.owner,
			spec: view.spec.into(),
			due: view.due,
			reward: Digits(view.reward),
			held: Digits(view.held),
			ranges,
			begun_ranges: view.begun_ranges,
			open_subtasks: view.open_subtasks,
			agreed: view.agreed,
			failed: view.failed,
			height: view.height,
		}
	}
}

/// Where a task waits, as `dgcs_queuePosition` returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueuePositionJson {
	task: TaskId,
	bucket: u8,
	ahead: u64,
}

impl QueuePositionJson {
	/// The place of the task `task`.
	pub fn new(task: TaskId, position: QueuePosition) -> Self {
		QueuePositionJson { task, bucket: position.bucket, ahead: position.ahead }
	}
}

/// A part of a work chain, as `dgcs_workChain` returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkChainJson {
	/// The task.
	pub task: TaskId,
	/// How many blocks the chain has so far.
	pub height: u32,
	/// The blocks, in order.
	pub blocks: Vec<WorkBlockJson>,
	/// The `from` with which to go on. `null` when all blocks so far were returned.
	pub next: Option<u32>,
}

/// One block of a work chain.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkBlockJson {
	index: u32,
	hash: H256,
	parent: H256,
	/// The top-level block that it was made in.
	when: u32,
	open_subtasks: u32,
	range: RangeIndex,
	round: Round,
	verdicts: Vec<VerdictJson>,
	receipts_root: H256,
}

/// What became true of one subtask.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VerdictJson {
	/// The subtask, counted from the start of the task.
	subtask: u32,
	agreed: bool,
	/// What was agreed on.
	#[serde(skip_serializing_if = "Option::is_none")]
	digest: Option<ResultDigest>,
}

impl WorkBlockJson {
	/// One block of the work chain of a task with this specification.
	pub fn new(block: &WorkBlock, spec: &TaskSpec<Balance>) -> Self {
		let first = spec.range_start(block.range);
		let verdicts = block.verdicts.iter().map(|verdict| {
			let digest = match verdict.outcome {
				Outcome::Agreed(digest) => Some(digest),
				Outcome::Failed => None,
			};
			let subtask = first.saturating_add(verdict.subtask.into());
			VerdictJson { subtask, agreed: digest.is_some(), digest }
		});
		WorkBlockJson {
			index: block.index,
			hash: block.hash(),
			parent: block.parent,
			when: block.when,
			open_subtasks: block.open_subtasks,
			range: block.range,
			round: block.round,
			verdicts: verdicts.collect(),
			receipts_root: block.receipts_root,
		}
	}
}

/// A range under vote, as `dgcs_range` returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RangeJson {
	task: TaskId,
	range: RangeIndex,
	round: Round,
	/// The subtasks without a verdict.
	open_subtasks: Vec<u32>,
	/// The last block in which a reveal counts, once every seat of the round has committed.
	reveal_until: Option<u32>,
	seats: Vec<SeatJson>,
}

/// A worker's part in the vote on a range.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SeatJson {
	worker: AccountId,
	operator: AccountId,
	round: Round,
	/// `leased`, `committed`, `revealed` or `withheld`.
	stage: &'static str,
	/// The last block in which a commitment counts, if it is leased.
	leased_until: Option<u32>,
	agreed: u8,
	dissented: u8,
}

impl RangeJson {
	/// The range `range` of the task `task`, which has this specification.
	pub fn new(
		task: TaskId,
		range: RangeIndex,
		view: RangeView<AccountId>,
		spec: &TaskSpec<Balance>,
	) -> Self {
		let first = spec.range_start(range);
		let open = (0..u64::BITS).filter(|bit| view.open >> bit & 1 == 1);
		RangeJson {
			task,
			range,
			round: view.round,
			open_subtasks: open.map(|bit| first.saturating_add(bit)).collect(),
			reveal_until: view.reveal_until,
			seats: view.seats.into_iter().map(Into::into).collect(),
		}
	}
}

impl From<SeatView<AccountId>> for SeatJson {
	fn from(view: SeatView<AccountId>) -> Self {
		let (stage, leased_until) = match view.stage {
			SeatStage::Leased { until } => ("leased", Some(until)),
			SeatStage::Committed => ("committed", None),
			SeatStage::Revealed => ("revealed", None),
			SeatStage::Withheld => ("withheld", None),
		};
		SeatJson {
			worker: view.worker,
			operator: view.operator,
			round: view.round,
			stage,
			leased_until,
			agreed: view.agreed,
			dissented: view.dissented,
		}
	}
}

/// A worker, as `dgcs_worker` returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerJson {
	account: AccountId,
	operator: AccountId,
	bond: Amount,
	key: EncryptionKey,
	capacity: Capacity,
	kinds: Vec<TaskKind>,
	busy: u16,
	/// `good`, `suspended` or `blacklisted`.
	standing: &'static str,
	/// The first block in which it may resume, if it is suspended.
	suspended_until: Option<u32>,
	good_run: u32,
	scores: ScoresJson,
	last_seen: u32,
	/// The block in which its bond is free, if it is leaving.
	leaving: Option<u32>,
}

/// A worker's three tracks, in parts per million: 1000000 is best.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ScoresJson {
	wrong: u32,
	silent: u32,
	offline: u32,
}

impl WorkerJson {
	/// The worker with the account `account`.
	pub fn new(account: AccountId, view: WorkerView<AccountId, Balance>) -> Self {
		let (standing, suspended_until) = match view.standing {
			Standing::Good => ("good", None),
			Standing::Suspended { until } => ("suspended", Some(until)),
			Standing::Blacklisted => ("blacklisted", None),
		};
		WorkerJson {
			account,
			operator: view.operator,
			bond: Digits(view.bond),
			key: view.key,
			capacity: view.capacity,
			kinds: kinds(view.kinds),
			busy: view.busy,
			standing,
			suspended_until,
			good_run: view.good_run,
			scores: ScoresJson {
				wrong: view.wrong.deconstruct(),
				silent: view.silent.deconstruct(),
				offline: view.offline.deconstruct(),
			},
			last_seen: view.last_seen,
			leaving: view.leaving,
		}
	}
}

fn kinds(kinds: Kinds) -> Vec<TaskKind> {
	[TaskKind::Compute, TaskKind::Store, TaskKind::Host]
		.into_iter()
		.filter(|kind| kinds.contains(*kind))
		.collect()
}

/// A masternode, as `dgcs_masternodes` returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MasternodeJson {
	account: AccountId,
	bond: Amount,
	key: EncryptionKey,
	/// Where it answers: a URL or a multiaddress.
	address: String,
	active: bool,
	authored: u32,
}

impl From<MasternodeView<AccountId, Balance>> for MasternodeJson {
	fn from(view: MasternodeView<AccountId, Balance>) -> Self {
		MasternodeJson {
			account: view.account,
			bond: Digits(view.bond),
			key: view.key,
			address: String::from_utf8_lossy(&view.address).into_owned(),
			active: view.active,
			authored: view.authored,
		}
	}
}

/// What a task would cost, as `dgcs_estimate` returns it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceJson {
	/// What is spent when all workers agree.
	rewards: Amount,
	/// For extra replicas, where they don't.
	reserve: Amount,
	/// The masternodes' share of both.
	masternodes: Amount,
	/// All that is held at submission; what is not spent comes back.
	total: Amount,
}

impl From<Price<Balance>> for PriceJson {
	fn from(price: Price<Balance>) -> Self {
		PriceJson {
			rewards: Digits(price.rewards),
			reserve: Digits(price.reserve),
			masternodes: Digits(price.masternodes),
			total: Digits(price.total()),
		}
	}
}
