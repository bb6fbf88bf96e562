//! From a prepared task to one on the chain, once and no more, whatever happens in between.

use dgcs_client::{
	api, event::tasks::Submitted, AccountId, Chain, Error as ChainError, Sender, LIFETIME,
};
use dgcs_primitives::{api::TaskInfo, ContentId, Price, TaskId};
use futures::StreamExt;

use crate::{
	attend::attended,
	error::{Error, Result},
	progress::{Progress, Tell},
	quote::{quote, submission},
	record::{Open, Submission},
};

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
pub async fn find(
	chain: &Chain,
	owner: &AccountId,
	manifest: &ContentId,
	since: u32,
) -> Result<Option<Found>> {
	let mut next = since.saturating_add(1);
	let last = since.saturating_add(LIFETIME);
	let mut events = chain.finalized_events(Some(next));
	while next <= last {
		let head = chain.heads().finalized;
		if next > head.number {
			let at = chain.at(head).await?;
			let key = (owner.clone().into(),);
			let info = at.fetch(api::storage().system().account(), key).await?;
			let used = info.map_or(0, |info| u64::from(info.nonce));
			let params = subxt::rpcs::rpc_params![owner.to_string()];
			let coming: u64 = chain.request("system_accountNextIndex", params).await?;
			if coming <= used && chain.heads().finalized == head {
				return Ok(None);
			}
		}
		let Some(events) = events.next().await else { return Err(ChainError::Closed.into()) };
		let events = match events {
			Err(error) if error.is_temporary() => {
				log::debug!(target: "owner", "While looking for a task: {error}");
				continue;
			},
			events => events?,
		};
		let block = events.block();
		for event in events.find::<Submitted>()?.into_iter().filter(|event| event.owner.0 == *owner)
		{
			let task: TaskId = event.task.0;
			let spec = match chain.at(block).await?.task(task).await? {
				Some(TaskInfo::Live(view)) => view.spec,
				_ => continue,
			};
			if spec.manifest == *manifest {
				return Ok(Some((task, block.number, Some(event.price.0))));
			}
		}
		next = block.number.saturating_add(1);
	}
	Ok(None)
}
