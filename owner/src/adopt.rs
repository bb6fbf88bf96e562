//! Taking up a task of which this machine knows nothing: from its number, its owner's secret and the
//! chain. What makes its keys is in its manifest, and how its results are merged in its private part.

use dgcs_client::{AccountId, Balance, Chain, Error as ChainError};
use dgcs_content::{get_blob, Manifest, OwnerSecret, Private, Scope};
use dgcs_primitives::{
	api::{TaskInfo, TaskView},
	TaskId, TaskSpec,
};
use dgcs_sandbox::MAX_PROGRAM_BYTES;
use dgcs_store::Store;

use crate::{
	content::{blocking, manifest},
	error::{at, Error, Result},
	follow::block,
	network::Network,
	record::{Content, Open, Record, Submission, Tasks},
	wish::{Terms, Wish},
};

/// The program of a task that was found on the chain, in the task's folder: its merge step needs it.
const PROGRAM: &str = "program.wasm";

/// What has to be known of a task.
struct Known {
	owner: AccountId,
	spec: TaskSpec<Balance>,
	/// A block in which it was submitted already.
	submitted: u32,
}

impl From<TaskView<AccountId, Balance>> for Known {
	fn from(view: TaskView<AccountId, Balance>) -> Self {
		let submitted = submitted(&view);
		Known { owner: view.owner, spec: view.spec, submitted }
	}
}

/// The task as it is, or was one block before it ended; or, when the state of that block is forgotten, as
/// masternodes keep it.
async fn known(chain: &Chain, task: TaskId) -> Result<Known> {
	let at = chain.at_finalized().await?;
	let settlement = match at.task(task).await? {
		Some(TaskInfo::Live(view)) => return Ok(view.into()),
		Some(TaskInfo::Settled(settlement)) => settlement,
		None => return Err(Error::UnknownTask { task }),
	};
	let end = settlement.when;
	let before = async {
		let last = block(chain, end.saturating_sub(1)).await?;
		chain.at(last).await?.task(task).await
	};
	match before.await {
		Ok(Some(TaskInfo::Live(view))) => return Ok(view.into()),
		Ok(_) | Err(ChainError::StateDiscarded { .. }) => {},
		Err(error) => return Err(error.into()),
	}
	match Network::at(&at).await?.spec(task).await {
		Ok(spec) => Ok(Known { owner: settlement.owner, spec, submitted: end }),
		Err(reason) => Err(Error::VerdictsGone { task, block: end, reason }),
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
	let known = known(chain, task).await?;
	if known.owner != *owner {
		let (theirs, ours) = (known.owner.to_string(), owner.to_string());
		return Err(Error::OtherOwner { task, owner: theirs, account: ours });
	}
	// It was prepared here, and signed elsewhere.
	let prepared = tasks.list()?.0.into_iter().find(|record| {
		let manifest = record.content.as_ref().map(|content| content.spec.manifest);
		record.task().is_none() && manifest == Some(known.spec.manifest)
	});
	let submitted = Submission::Done { task, block: known.submitted };
	if let Some(record) = prepared {
		let mut open = tasks.open(&record.name)?;
		open.update(|record| record.submission = submitted)?;
		return Ok(open);
	}
	Network::at(&chain.at_finalized().await?).await?.connect(store).await?;
	let manifest = get(store, &known.spec).await?;
	let mut record = Record::new(chain.genesis(), owner.clone(), manifest.nonce);
	record.submission = submitted;
	record.content = Some(Content {
		program: manifest.program.id,
		input_len: 0,
		shards: manifest.shards.len() as u32,
		spec: known.spec,
	});
	Ok(tasks.create(record)?)
}

/// Learns from a task that was found on the chain whether its results are merged, and with what. Leaves one
/// that was made here as it is.
pub async fn learn(
	chain: &Chain,
	store: &Store,
	secret: &OwnerSecret,
	open: &mut Open,
) -> Result<()> {
	let content = match &open.record.content {
		Some(content) if open.record.wish.is_none() => content.clone(),
		_ => return Ok(()),
	};
	let terms = Terms::of(&content.spec, chain.at_best().await?.block_time()?);
	let manifest = manifest(store, &open.record).await?;
	let keys = secret.task(&manifest.nonce);
	let (source, path) = (store.clone(), open.folder().join(PROGRAM));
	let wish = blocking(move || {
		let header = Private::get(&source, &manifest, &keys)?.header;
		let Some(merge) = header.merge else { return Ok(None) };
		let job = manifest.open_job(&keys.scope(Scope::Task))?;
		let program = get_blob(&source, &manifest.program.id, MAX_PROGRAM_BYTES as u64)?;
		std::fs::write(&path, program).map_err(at(&path))?;
		Ok(Some(Wish::found(path, terms, header.cut, job, merge)))
	})
	.await?;
	if wish.is_some() {
		open.update(|record| record.wish = wish)?;
	}
	Ok(())
}

/// A block in which the task was live, as early as its state tells: while it is queued, that of its
/// submission.
pub(crate) fn submitted(view: &TaskView<AccountId, Balance>) -> u32 {
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
