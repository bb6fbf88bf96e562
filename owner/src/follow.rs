//! Following a task on the finalised chain, and keeping its work chain before it is destroyed.

use std::collections::{BTreeMap, HashMap};

use dgcs_client::{
	event::tasks::Settled, AccountId, At, Balance, Chain, Error as ChainError, Head, WorkChain,
};
use dgcs_primitives::{
	api::{TaskInfo, TaskState, TaskView},
	Settlement, TaskId, WorkBlock,
};
use futures::StreamExt;

use crate::{
	attend::attended,
	error::{Error, Result},
	ledger::{Entry, Ledger, Receipt},
	network::Network,
	progress::{Progress, Tell},
	record::Open,
	workforce::Workforce,
};

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // There is one of it at a time.
pub enum Stage {
	/// In the queue, or being computed.
	Live(TaskView<AccountId, Balance>),
	/// At its end.
	Ended(Settlement<AccountId, Balance>),
}

/// The finalised block with this number, which must exist.
pub(crate) async fn block(chain: &Chain, number: u32) -> Result<Head, ChainError> {
	let mut heads = chain.finalized_heads(Some(number));
	heads.next().await.unwrap_or(Err(ChainError::Closed))
}

/// Follows the task to its end, and keeps its verdicts as they fall.
///
/// # Errors
///
/// Those of the chain when no node answers, and [`Error::VerdictsGone`] if the task ended so long ago
/// that the node has forgotten the verdicts.
pub async fn watch(
	chain: &Chain,
	task: TaskId,
	open: &mut Open,
	ledger: &mut Ledger,
	tell: &Tell,
) -> Result<Settlement<AccountId, Balance>> {
	if let Some(settlement) = &open.record.settlement {
		return Ok(settlement.clone());
	}
	attended(chain, tell, until_its_end(chain, task, open, ledger, tell)).await
}

async fn until_its_end(
	chain: &Chain,
	task: TaskId,
	open: &mut Open,
	ledger: &mut Ledger,
	tell: &Tell,
) -> Result<Settlement<AccountId, Balance>> {
	let mut lookout = Lookout::default();
	loop {
		let heads = chain.heads();
		match look(chain, task, open, ledger).await {
			Ok(Stage::Ended(settlement)) => {
				open.update(|record| record.settlement = Some(settlement.clone()))?;
				tell.say(Progress::Ended { settlement: settlement.clone() });
				let (read, all) = (ledger.chain().height(), settlement.chain.height);
				if read < all {
					tell.say(Progress::Warning(format!(
						"{} of the task's {all} votes were decided in the block in which its time was over: \
						 their results were paid for, and nobody can name them",
						all - read
					)));
				}
				return Ok(settlement);
			},
			Ok(Stage::Live(view)) => {
				say(chain, task, &view, tell).await;
				lookout.look(chain, task, &view, tell).await;
			},
			// Another node may be behind, or late: it has a minute to find a better one.
			Err(Error::Chain(
				error @ (ChainError::UnknownBlock { .. } | ChainError::TimedOut { .. }),
			)) => {
				tell.say(Progress::Warning(error.to_string()));
			},
			Err(error) => return Err(error),
		}
		let mut now = heads;
		while now.finalized == heads.finalized {
			now = chain.moved(now).await?;
		}
	}
}

async fn say(chain: &Chain, task: TaskId, view: &TaskView<AccountId, Balance>, tell: &Tell) {
	if view.state == TaskState::Queued {
		let position = match chain.at_finalized().await {
			Ok(at) => at.queue_position(task).await.ok().flatten(),
			Err(_) => None,
		};
		return tell.say(Progress::Queued { position, due: view.due });
	}
	tell.say(Progress::Running {
		open: view.open_subtasks,
		agreed: view.agreed,
		failed: view.failed,
		begun: view.begun_ranges,
		held: view.held,
	});
}

/// How many blocks apart it is looked whether the network has enough workers for a task: a minute.
const LOOK_EVERY: u32 = 20;

/// Looks from time to time whether a task that waits has anybody to wait for.
#[derive(Default)]
struct Lookout {
	/// The block from which on it looks again.
	next: u32,
	/// What was said last.
	said: Option<String>,
}

impl Lookout {
	async fn look(
		&mut self,
		chain: &Chain,
		task: TaskId,
		view: &TaskView<AccountId, Balance>,
		tell: &Tell,
	) {
		let now = chain.heads().finalized.number;
		if now < self.next || view.state == TaskState::Cancelling {
			return;
		}
		self.next = now.saturating_add(LOOK_EVERY);
		let found = async { Workforce::at(&chain.at_finalized().await?, &view.spec).await };
		let lack = match found.await {
			Ok(found) => found.lack(&view.spec),
			// Whatever is wrong with the chain is for others to say.
			Err(error) => return log::debug!(target: "owner", "While looking for workers: {error}"),
		};
		if let Some(lack) = lack.as_ref().filter(|_| lack != self.said) {
			tell.say(Progress::Warning(format!(
				"{lack}. The task waits for more until block #{}; then it ends, and the money for what was \
				 not computed comes back. `dgcs task cancel {task}` ends it now",
				view.due
			)));
		}
		self.said = lack;
	}
}

/// Looks once where the task is as of the last finalised block, and brings the ledger up to it.
pub async fn look(chain: &Chain, task: TaskId, open: &Open, ledger: &mut Ledger) -> Result<Stage> {
	if let Some(settlement) = &open.record.settlement {
		return Ok(Stage::Ended(settlement.clone()));
	}
	let submitted = match open.record.submission {
		crate::record::Submission::Done { block, .. } => block,
		_ => 0,
	};
	let at = chain.at_finalized().await?;
	match at.task(task).await? {
		Some(TaskInfo::Live(view)) => {
			if view.height != ledger.chain().height() {
				extend(chain, &at, ledger).await?;
			}
			Ok(Stage::Live(view))
		},
		Some(TaskInfo::Settled(settlement)) => {
			complete(chain, task, ledger, &settlement).await?;
			Ok(Stage::Ended(settlement))
		},
		None if at.block().number < submitted => {
			// The node is behind.
			let block = format!("#{submitted}");
			Err(ChainError::UnknownBlock { block }.into())
		},
		None => {
			let end = find_end(chain, task, ledger, submitted, at.block().number).await?;
			let settlement = settlement(chain, task, end).await?;
			complete(chain, task, ledger, &settlement).await?;
			Ok(Stage::Ended(settlement))
		},
	}
}

/// The block in which a task ended of which the chain keeps nothing: the first one after whose end it was
/// not live any more.
async fn find_end(
	chain: &Chain,
	task: TaskId,
	ledger: &Ledger,
	submitted: u32,
	now: u32,
) -> Result<u32> {
	if submitted == 0 {
		return Err(Error::UnknownTask { task });
	}
	let last = ledger.chain().blocks().last().map_or(0, |block| block.when);
	let (mut live, mut ended) = (submitted.max(last), now);
	while ended.saturating_sub(live) > 1 {
		let middle = live + (ended - live) / 2;
		let known = async { chain.at(block(chain, middle).await?).await?.task(task).await };
		match known.await {
			Ok(Some(_)) => live = middle,
			Ok(None) => ended = middle,
			// The states before this one are gone, and it ended with them or later.
			Err(ChainError::StateDiscarded { .. }) => live = middle,
			Err(error) => return Err(error.into()),
		}
	}
	Ok(ended)
}

/// How a task ended in block `end` of which the chain keeps nothing.
async fn settlement(
	chain: &Chain,
	task: TaskId,
	end: u32,
) -> Result<Settlement<AccountId, Balance>> {
	let gone = |reason: &str| Error::VerdictsGone { task, block: end, reason: reason.into() };
	let events = match chain.events(block(chain, end).await?).await {
		Err(ChainError::StateDiscarded { .. }) => {
			return Err(gone("the node has forgotten the state of that block"))
		},
		events => events?,
	};
	let settled = events.find::<Settled>()?.into_iter().find(|event| event.task.0 == task);
	Ok(settled.ok_or_else(|| gone("that block does not say so"))?.settlement.0)
}

/// Reads the rest of the work chain of a task that has ended: from the last state that had it, or from
/// masternodes that keep it.
async fn complete(
	chain: &Chain,
	task: TaskId,
	ledger: &mut Ledger,
	settlement: &Settlement<AccountId, Balance>,
) -> Result<()> {
	let record = &settlement.chain;
	if ledger.chain().verify(record).is_ok() {
		return Ok(());
	}
	// A block before its end a task has all verdicts, unless its time was over: then the very last ones
	// may have fallen in the block that ended it, and nobody has ever seen them.
	let last = block(chain, settlement.when.saturating_sub(1)).await?;
	let read = async { extend(chain, &chain.at(last).await?, ledger).await };
	match read.await {
		Ok(true) => return Ok(()),
		Ok(false) | Err(Error::Chain(ChainError::StateDiscarded { .. })) => {},
		Err(error) => return Err(error),
	}
	match Network::at(&chain.at_finalized().await?).await?.work_chain(task, record).await {
		Ok(kept) => take_over(chain, &kept, ledger).await,
		Err(reason) => Err(Error::VerdictsGone { task, block: settlement.when, reason }),
	}
}

/// Adds what the work chain has as of a block and the ledger has not. `false`: the task is not live there.
async fn extend(chain: &Chain, at: &At, ledger: &mut Ledger) -> Result<bool> {
	let mut whole = ledger.chain().clone();
	if !at.extend_work_chain(&mut whole).await? {
		return Ok(false);
	}
	take_over(chain, &whole, ledger).await?;
	Ok(true)
}

/// Adds what a work chain has, which is verified, and the ledger has not.
async fn take_over(chain: &Chain, whole: &WorkChain, ledger: &mut Ledger) -> Result<()> {
	let known = ledger.chain().blocks();
	if whole.blocks().get(..known.len()) != Some(known) {
		ledger.reset()?;
	}
	let from = ledger.chain().height();
	let blocks = &whole.blocks()[from as usize..];
	let (mut said, mut read) = (Vec::new(), HashMap::new());
	for block in blocks {
		said.push(receipts_of(chain, block, &mut read).await?);
	}
	let mut receipts = whole.proven(from, said);
	if receipts.contains(&None) {
		// Masternodes keep what a node forgets within minutes.
		let network = Network::at(&chain.at_finalized().await?).await?;
		network.receipts(whole, from, &mut receipts).await;
	}
	let entry = |(block, receipts): (&WorkBlock, _)| Entry { block: block.clone(), receipts };
	ledger.append(blocks.iter().zip(receipts).map(entry).collect())?;
	Ok(())
}

/// Who did what in the blocks of work chains that one block of the chain brought, by task and index.
type Brought = BTreeMap<(TaskId, u32), Vec<Receipt>>;

/// Who did what in a block of the work chain. `None`: the node has forgotten.
async fn receipts_of(
	chain: &Chain,
	work: &WorkBlock,
	read: &mut HashMap<u32, Brought>,
) -> Result<Option<Vec<Receipt>>> {
	let key = (work.task, work.index);
	if let Some(known) = read.get_mut(&work.when) {
		return Ok(known.remove(&key));
	}
	let events = match chain.events(block(chain, work.when).await?).await {
		Err(ChainError::StateDiscarded { .. }) => {
			read.insert(work.when, Brought::new());
			return Ok(None);
		},
		events => events?,
	};
	let mut brought = events.receipts()?;
	brought.retain(|(task, _), _| *task == work.task);
	let found = brought.remove(&key);
	read.insert(work.when, brought);
	Ok(found)
}
