//! Until the owner may go offline: waiting for masternodes to hold what a task needs.

use std::time::{Duration, Instant};

use dgcs_client::{AccountId, Chain, Error as ChainError, Head, Held};
use dgcs_content::Manifest;
use dgcs_primitives::{api::TaskInfo, TaskId};
use dgcs_store::Store;

use crate::{
	attend::attended,
	error::{Error, Result},
	network::Network,
	progress::{Progress, Tell},
	record::{Open, Submission},
};

/// How often masternodes are asked where their stores are: one that has started again may have another port.
const REFRESH: Duration = Duration::from_secs(60);

/// How many of `holders` masternodes must hold everything before the owner may go offline: as many as it
/// takes to rebuild a key. Fewer than that could not serve a worker, and one more may fail.
pub fn needed(holders: usize) -> usize {
	holders / 2 + 1
}

/// The masternodes that a manifest names.
pub fn holders(manifest: &Manifest) -> Vec<AccountId> {
	manifest.holders.iter().map(|holder| AccountId::new(holder.account.0)).collect()
}

/// Serves the task's content from `store` until enough masternodes say that they hold all of it, or the
/// task has ended, which also ends their need. Says at each finalised block what they hold.
pub async fn hold(
	chain: &Chain,
	store: &Store,
	manifest: &Manifest,
	task: TaskId,
	open: &mut Open,
	tell: &Tell,
) -> Result<()> {
	attended(chain, tell, serve(chain, store, manifest, task, open, tell)).await
}

async fn serve(
	chain: &Chain,
	store: &Store,
	manifest: &Manifest,
	task: TaskId,
	open: &mut Open,
	tell: &Tell,
) -> Result<()> {
	let Some(content) = &open.record.content else { return Ok(()) };
	let named = content.spec.manifest;
	let submitted = match open.record.submission {
		Submission::Done { block, .. } => block,
		_ => 0,
	};
	let holders = holders(manifest);
	let needed = needed(holders.len());
	let mut connected: Option<Instant> = None;
	let mut warned = String::new();
	let mut warn = |text: String| {
		if warned != text {
			tell.say(Progress::Warning(text.clone()));
			warned = text;
		}
	};
	while !open.record.held {
		let heads = chain.heads();
		match network(chain, heads.finalized, task, submitted).await {
			Ok(None) => return Ok(()),
			Ok(Some(network)) => {
				if connected.is_none_or(|at| at.elapsed() >= REFRESH) {
					match network.connect(store).await {
						Ok(_) => {
							if connected.replace(Instant::now()).is_none() {
								// For those that are not connected. That nobody takes a note now is no reason to stop.
								if let Err(error) = store.provide(&named).await {
									log::debug!(target: "owner", "{error}");
								}
							}
						},
						Err(error) => warn(error.to_string()),
					}
				}
				let masternodes = network.held(task, &holders).await;
				let enough = is_enough(&masternodes, needed);
				if let Some(text) = too_many_gave_up(&masternodes, needed, task) {
					warn(text);
				}
				tell.say(Progress::Holding { masternodes, needed });
				if enough {
					open.update(|record| record.held = true)?;
					tell.say(Progress::Held);
					return Ok(());
				}
			},
			// Another node may be behind, or late: it has a minute to find a better one.
			Err(Error::Chain(
				error @ (ChainError::UnknownBlock { .. } | ChainError::TimedOut { .. }),
			)) => warn(error.to_string()),
			Err(error) => return Err(error),
		}
		let mut now = heads;
		while now.finalized == heads.finalized {
			now = chain.moved(now).await?;
		}
	}
	Ok(())
}

/// Whether as many masternodes as are needed hold everything.
fn is_enough(masternodes: &[(AccountId, Result<Held, String>)], needed: usize) -> bool {
	let complete = |(_, held): &&(AccountId, Result<Held, String>)| {
		held.as_ref().is_ok_and(|held| held.complete)
	};
	masternodes.iter().filter(complete).count() >= needed
}

/// What to say when so many masternodes have given the task up that too few are left. `None`: enough are.
fn too_many_gave_up(
	masternodes: &[(AccountId, Result<Held, String>)],
	needed: usize,
	task: TaskId,
) -> Option<String> {
	let gave_up = |held: &&Held| held.given_up && !held.complete;
	let all = masternodes.iter().filter_map(|(_, held)| held.as_ref().ok());
	let gone: Vec<&Held> = all.filter(gave_up).collect();
	if gone.is_empty() || masternodes.len() - gone.len() >= needed {
		return None;
	}
	let reason = gone.iter().find_map(|held| held.reason.clone());
	Some(format!(
		"{} of {} masternodes have given the task up ({}), and {needed} of them are needed. `dgcs task cancel \
		 {task}` ends it, and its money comes back: then have it computed anew",
		gone.len(),
		masternodes.len(),
		reason.unwrap_or_else(|| "they don't say why".into())
	))
}

/// The masternodes as of a block. `None`: the task is not live there.
async fn network(
	chain: &Chain,
	block: Head,
	task: TaskId,
	submitted: u32,
) -> Result<Option<Network>> {
	let at = chain.at(block).await?;
	match at.task(task).await? {
		Some(TaskInfo::Live(_)) => Ok(Some(Network::at(&at).await?)),
		None if block.number < submitted => {
			Err(ChainError::UnknownBlock { block: format!("#{submitted}") }.into())
		},
		_ => Ok(None),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn it_is_said_when_too_few_masternodes_are_left() {
		let row = |n: u8, held| (AccountId::new([n; 32]), held);
		let complete = Held { complete: true, ..Held::default() };
		let reason = Some("the disk is full".into());
		let gone = Held { given_up: true, reason, ..Held::default() };
		let silent = Err("no answer".to_owned());
		let said =
			|rows: &[(AccountId, Result<Held, String>)]| too_many_gave_up(rows, 3, TaskId(7));
		let mut rows = vec![row(1, Ok(complete)), row(2, silent), row(3, Ok(Held::default()))];
		rows.push(row(4, Ok(gone.clone())));
		assert_eq!(said(&rows), None, "who is silent may come back");
		rows[1].1 = Ok(gone.clone());
		let text = said(&rows).expect("two are left");
		assert!(text.contains("2 of 4") && text.contains("the disk is full"), "{text}");
		assert!(text.contains("cancel 7"), "{text}");
		// What was given up and came after all counts.
		rows[1].1 = Ok(Held { complete: true, ..gone });
		assert_eq!(said(&rows), None);
	}

	#[test]
	fn half_of_the_masternodes_are_not_enough() {
		let complete = || Ok(Held { complete: true, ..Held::default() });
		let part = || Ok(Held { manifest: true, shards_held: 1, shards: 2, ..Held::default() });
		let enough = |held: [Result<Held, String>; 4]| {
			let rows: Vec<_> =
				(0u8..).zip(held).map(|(n, held)| (AccountId::new([n; 32]), held)).collect();
			is_enough(&rows, needed(rows.len()))
		};
		assert!(!enough([part(), part(), part(), part()]));
		assert!(!enough([complete(), complete(), part(), Err("no answer".into())]));
		assert!(enough([complete(), complete(), Err("no answer".into()), complete()]));
		assert!(enough([complete(), complete(), complete(), complete()]));
	}

	#[test]
	fn as_many_must_hold_as_share_a_key() {
		for (holders, expected) in [(1, 1), (2, 2), (3, 2), (4, 3), (100, 51), (255, 128)] {
			assert_eq!(needed(holders), expected);
		}
	}
}
