//! Taking up a task of which this machine knows nothing: from its number, its owner's secret and the
//! chain. What makes its keys is in its manifest.

use dgcs_client::{AccountId, Balance, Chain, Error as ChainError};
use dgcs_content::Manifest;
use dgcs_primitives::{
	api::{TaskInfo, TaskView},
	TaskId, TaskSpec,
};
use dgcs_store::Store;

use crate::{
	content::blocking,
	error::{Error, Result},
	follow::block,
	network::Network,
	record::{Content, Open, Record, Submission, Tasks},
};

/// The task as it is, or as it was one block before it ended.
async fn view(chain: &Chain, task: TaskId) -> Result<TaskView<AccountId, Balance>> {
	let at = chain.at_finalized().await?;
	let end = match at.task(task).await? {
		Some(TaskInfo::Live(view)) => return Ok(view),
		Some(TaskInfo::Settled(settlement)) => settlement.when,
		None => return Err(Error::UnknownTask { task }),
	};
	let gone = || Error::VerdictsGone {
		task,
		block: end,
		reason: "the node has forgotten the state before that block".into(),
	};
	let before = chain.at(block(chain, end.saturating_sub(1)).await?).await?;
	match before.task(task).await {
		Ok(Some(TaskInfo::Live(view))) => Ok(view),
		Ok(_) | Err(ChainError::UnknownBlock { .. }) => Err(gone()),
		Err(error) => Err(error.into()),
	}
}

/// Makes a record of a task on the chain that `owner` has submitted from somewhere else, with what its
/// manifest says. Its content comes from the masternodes.
pub async fn adopt(
	chain: &Chain,
	owner: &AccountId,
	store: &Store,
	tasks: &Tasks,
	task: TaskId,
) -> Result<Open> {
	let view = view(chain, task).await?;
	if view.owner != *owner {
		let (theirs, ours) = (view.owner.to_string(), owner.to_string());
		return Err(Error::OtherOwner { task, owner: theirs, account: ours });
	}
	// It was prepared here, and signed elsewhere.
	let prepared = tasks.list()?.0.into_iter().find(|record| {
		let manifest = record.content.as_ref().map(|content| content.spec.manifest);
		record.task().is_none() && manifest == Some(view.spec.manifest)
	});
	let submitted = Submission::Done { task, block: submitted(&view) };
	if let Some(record) = prepared {
		let mut open = tasks.open(&record.name)?;
		open.update(|record| record.submission = submitted)?;
		return Ok(open);
	}
	Network::at(&chain.at_finalized().await?).await?.connect(store).await?;
	let manifest = get(store, &view.spec).await?;
	let mut record = Record::new(chain.genesis(), owner.clone(), manifest.nonce);
	record.submission = submitted;
	record.content = Some(Content {
		program: manifest.program.id,
		input_len: 0,
		shards: manifest.shards.len() as u32,
		spec: view.spec,
	});
	Ok(tasks.create(record)?)
}

/// A block in which the task was live, as early as its state tells: while it is queued, that of its
/// submission.
fn submitted(view: &TaskView<AccountId, Balance>) -> u32 {
	let timeout = match view.state {
		dgcs_primitives::api::TaskState::Queued => view.spec.queue_timeout,
		_ => view.spec.run_timeout,
	};
	view.due.saturating_sub(timeout).max(1)
}

async fn get(store: &Store, spec: &TaskSpec<Balance>) -> Result<Manifest> {
	let (source, spec) = (store.clone(), spec.clone());
	blocking(move || {
		let manifest = Manifest::get(&source, &spec.manifest)?;
		manifest.check(&spec)?;
		Ok(manifest)
	})
	.await
}
