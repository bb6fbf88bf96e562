//! From a prepared task to one on the chain, once and no more, whatever happens in between.

use dgcs_client::{
	api, event::tasks::Submitted, AccountId, Chain, Error as ChainError, Head, Sender, LIFETIME,
};
use dgcs_primitives::{api::TaskInfo, ContentId, Price, TaskId};
use futures::{stream, StreamExt};

use crate::{
	adopt::submitted,
	attend::attended,
	error::{Error, Result},
	follow::block,
	progress::{Progress, Tell},
	quote::{quote, submission},
	record::{Open, Submission},
};

/// Requests at a time.
const PARALLEL: usize = 16;

/// Submits the task and waits until it is in the finalised chain. If an earlier run has sent it, that is
/// looked for first.
pub async fn submit(sender: &Sender, task: &mut Open, tell: &Tell) -> Result<TaskId> {
	attended(sender.chain(), tell, find_or_send(sender, task, tell)).await
}

async fn find_or_send(sender: &Sender, task: &mut Open, tell: &Tell) -> Result<TaskId> {
	let chain = sender.chain();
	let name = task.record.name.clone();
	let Some(content) = task.record.content.clone() else {
		return Err(Error::NotPrepared { name });
	};
	match task.record.submission {
		Submission::Done { task, .. } => return Ok(task),
		Submission::Sent { since } => {
			let owner = sender.account().id();
			if let Some(found) = find(chain, &owner, &content.spec.manifest, since).await? {
				return done(task, found, tell);
			}
		},
		Submission::None => {},
	}
	let since = chain.heads().finalized.number;
	task.update(|record| record.submission = Submission::Sent { since })?;
	tell.say(Progress::Sent);
	let included = match sender.send_and_finalize(&submission(&content.spec)).await {
		Ok(included) => included,
		Err(error) if is_final(&error) => {
			task.update(|record| record.submission = Submission::None)?;
			// The money may have gone elsewhere since the price was asked for, which the chain says in
			// other words.
			let quoted = quote(chain, &sender.account().id(), content.spec).await;
			if let Ok(quoted) = quoted {
				quoted.check(&sender.account().id(), 0)?;
			}
			return Err(error.into());
		},
		Err(error) => return Err(error.into()),
	};
	let event: Submitted = included.event()?;
	done(task, (event.task.0, included.block.number, Some(event.price.0)), tell)
}

/// Whether nothing was submitted, and nothing will be.
fn is_final(error: &ChainError) -> bool {
	matches!(
		error,
		ChainError::Failed { .. }
			| ChainError::InvalidTransaction { .. }
			| ChainError::Expired { .. }
			| ChainError::Usurped { .. }
	)
}

type Found = (TaskId, u32, Option<Price<dgcs_client::Balance>>);

fn done(open: &mut Open, (task, block, price): Found, tell: &Tell) -> Result<TaskId> {
	open.update(|record| record.submission = Submission::Done { task, block })?;
	tell.say(Progress::Submitted { task, price, block });
	Ok(task)
}

/// Looks for a task of `owner` with this manifest in the finalised blocks after `since`. If it is in
/// none, waits for transactions of the owner that are on their way. `None`: it was not submitted, and
/// another transaction would take the place of one that nobody has seen.
///
/// It is the blocks themselves that are searched, which nodes keep: what they did is forgotten after some
/// minutes, and nothing must be paid twice after that either.
///
/// # Errors
///
/// [`Error::Unclear`] if something was submitted, and nobody knows any more what came of it.
pub async fn find(
	chain: &Chain,
	owner: &AccountId,
	manifest: &ContentId,
	since: u32,
) -> Result<Option<Found>> {
	let mut next = since.saturating_add(1);
	// From then on a transaction that was sent at `since` is not valid any more.
	let last = since.saturating_add(LIFETIME);
	while next <= last {
		let heads = chain.heads();
		let looked = async {
			if next > heads.finalized.number {
				return none_is_coming(chain, owner, heads.finalized).await.map(Looked::NotThere);
			}
			look_into(chain, owner, manifest, next).await
		};
		match looked.await {
			Ok(Looked::There(found)) => return Ok(Some(found)),
			Ok(Looked::NotThere(true)) if chain.heads().finalized == heads.finalized => {
				return Ok(None)
			},
			Ok(Looked::NotThere(_)) => _ = chain.moved(heads).await?,
			Ok(Looked::Passed) => next = next.saturating_add(1),
			Err(Error::Chain(error)) if error.is_temporary() => {
				log::debug!(target: "owner", "While looking for a task: {error}");
				chain.moved(heads).await?;
			},
			Err(error) => return Err(error),
		}
	}
	Ok(None)
}

/// What a look for a task came to.
enum Looked {
	/// It is there.
	There(Found),
	/// It is not in the block.
	Passed,
	/// It is in no block that there is. Whether nothing that may submit it is on its way either.
	NotThere(bool),
}

/// Whether no transaction of `owner` is on its way, as of the last finalised block.
async fn none_is_coming(chain: &Chain, owner: &AccountId, finalized: Head) -> Result<bool> {
	let at = chain.at(finalized).await?;
	let info = at.fetch(api::storage().system().account(), (owner.clone().into(),)).await?;
	let used = info.map_or(0, |info| u64::from(info.nonce));
	let params = subxt::rpcs::rpc_params![owner.to_string()];
	let coming: u64 = chain.request("system_accountNextIndex", params).await?;
	Ok(coming <= used)
}

/// Looks for the task in one block.
async fn look_into(
	chain: &Chain,
	owner: &AccountId,
	manifest: &ContentId,
	number: u32,
) -> Result<Looked> {
	let block = block(chain, number).await?;
	// No other task has this name in it.
	if !chain.mentions(block, manifest.digest.as_bytes()).await? {
		return Ok(Looked::Passed);
	}
	let events = match chain.events(block).await {
		Err(ChainError::StateDiscarded { .. }) => {
			let live = find_live(chain, owner, manifest).await?;
			return live.map(Looked::There).ok_or(Error::Unclear { block: number });
		},
		events => events?,
	};
	let at = chain.at(block).await?;
	for event in events.find::<Submitted>()?.into_iter().filter(|event| event.owner.0 == *owner) {
		let task: TaskId = event.task.0;
		match at.task(task).await? {
			Some(TaskInfo::Live(view)) if view.spec.manifest == *manifest => {
				return Ok(Looked::There((task, number, Some(event.price.0))));
			},
			_ => {},
		}
	}
	Ok(Looked::Passed)
}

/// Looks for the task among all that are live.
async fn find_live(
	chain: &Chain,
	owner: &AccountId,
	manifest: &ContentId,
) -> Result<Option<Found>> {
	let at = chain.at_finalized().await?;
	let tasks = stream::iter(at.live_tasks().await?);
	let read = |task| {
		let at = at.clone();
		async move { Ok::<_, ChainError>((task, at.task(task).await?)) }
	};
	let mut views = tasks.map(read).buffered(PARALLEL);
	while let Some(view) = views.next().await {
		match view? {
			(task, Some(TaskInfo::Live(view)))
				if view.owner == *owner && view.spec.manifest == *manifest =>
			{
				return Ok(Some((task, submitted(&view), None)));
			},
			_ => {},
		}
	}
	Ok(None)
}
