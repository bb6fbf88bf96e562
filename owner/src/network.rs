//! The masternodes of a chain, as an owner meets them: their stores, and what they hold.

use dgcs_client::{
	masternode::Patience, AccountId, At, Balance, Held, Masternode as Rpc, Receipt, WorkChain,
};
use dgcs_primitives::{api::MasternodeView, ChainRecord, EncryptionKey, TaskId, TaskSpec};
use dgcs_store::{Multiaddr, Store};
use futures::future::join_all;
use sp_core::H256;

use crate::error::{Error, Result};

/// To how many masternodes' stores a connection is made, highest bond first: each of them finds the
/// others by itself.
const MAX_STORES: usize = 16;
/// How many masternodes are asked who did what: a solution is worth its time without it.
const MAX_ASKED: usize = 8;

/// A masternode.
#[derive(Debug)]
pub struct Masternode {
	/// Its account.
	pub account: AccountId,
	/// What its shares of a task's keys are sealed to.
	pub key: EncryptionKey,
	/// Its RPC. An address where there can be none is kept as the reason.
	rpc: Result<Rpc, String>,
}

/// The masternodes that are active.
#[derive(Debug)]
pub struct Network {
	masternodes: Vec<Masternode>,
}

impl Network {
	/// Those that are active as of a block and have a key, highest bond first.
	pub async fn at(at: &At) -> Result<Self> {
		let active = at.masternodes().await?.into_iter().filter(is_usable);
		let masternodes = active.take(255).map(|view| {
			let rpc = Rpc::at(&view.address, Patience::default());
			let rpc = rpc.map_err(|error| error.to_string());
			Masternode { account: view.account, key: view.key, rpc }
		});
		Ok(Network { masternodes: masternodes.collect() })
	}

	/// The masternodes.
	pub fn masternodes(&self) -> &[Masternode] {
		&self.masternodes
	}

	/// With whom the keys of a new task are shared.
	pub fn holders(&self) -> Result<Vec<dgcs_content::Masternode>> {
		if self.masternodes.is_empty() {
			return Err(Error::NoMasternode);
		}
		let holder = |masternode: &Masternode| dgcs_content::Masternode {
			account: H256(*masternode.account.as_ref()),
			key: masternode.key,
		};
		Ok(self.masternodes.iter().map(holder).collect())
	}

	/// Connects `store` to the masternodes' stores, and says how many are connected. Fails if none is.
	pub async fn connect(&self, store: &Store) -> Result<usize> {
		let tries = self.masternodes.iter().take(MAX_STORES).map(|masternode| async move {
			let rpc = masternode.rpc.as_ref().map_err(Clone::clone)?;
			let addresses = rpc.store_addresses().await.map_err(|error| error.to_string())?;
			let parsed = addresses.iter().filter_map(|address| address.parse().ok());
			let parsed: Vec<Multiaddr> = parsed.collect();
			if parsed.is_empty() {
				return Err(format!("{} gives no address of its store: {addresses:?}", rpc.url()));
			}
			store.connect(&parsed).await.map_err(|error| error.to_string())
		});
		let results = join_all(tries).await;
		let count = results.len();
		let connected = results.iter().filter(|result| result.is_ok()).count();
		match results.into_iter().filter_map(Result::err).next_back() {
			_ if connected > 0 => Ok(connected),
			reason => Err(Error::NoStore {
				count,
				reason: reason.unwrap_or_else(|| "there is none".into()),
			}),
		}
	}

	/// What a task is whose states are forgotten, as most of the masternodes that keep it say. Or why none
	/// does.
	pub async fn spec(&self, task: TaskId) -> Result<TaskSpec<Balance>, String> {
		let asked = self.masternodes.iter().map(|masternode| async move {
			let rpc = masternode.rpc.as_ref().map_err(Clone::clone)?;
			rpc.spec(task).await.map_err(|error| error.to_string())
		});
		let mut reason = String::from("there is no masternode to ask");
		let mut said: Vec<(TaskSpec<Balance>, usize)> = Vec::new();
		for answer in join_all(asked).await {
			match answer {
				Ok(spec) => match said.iter_mut().find(|(other, _)| *other == spec) {
					Some((_, times)) => *times += 1,
					None => said.push((spec, 1)),
				},
				Err(error) => reason = error,
			}
		}
		let most = said.into_iter().max_by_key(|(_, times)| *times);
		most.map(|(spec, _)| spec)
			.ok_or_else(|| format!("no masternode keeps what it was ({reason})"))
	}

	/// The work chain of a task that has ended, from the first masternode that keeps it. Or why none does.
	pub async fn work_chain(
		&self,
		task: TaskId,
		record: &ChainRecord,
	) -> Result<WorkChain, String> {
		let mut reason = String::from("there is no masternode to ask");
		for masternode in &self.masternodes {
			let kept = match &masternode.rpc {
				Ok(rpc) => rpc.work_chain(task, record).await.map_err(|error| error.to_string()),
				Err(reason) => Err(reason.clone()),
			};
			match kept {
				Ok(chain) => return Ok(chain),
				Err(error) => reason = error,
			}
		}
		Err(format!("no masternode gives its work chain ({reason})"))
	}

	/// Fills gaps in `known`, who did what in the blocks of a work chain from number `from` on, with what
	/// masternodes keep of it and the blocks commit to. What none of them keeps stays a gap.
	pub async fn receipts(&self, chain: &WorkChain, from: u32, known: &mut [Option<Vec<Receipt>>]) {
		let rpcs = self.masternodes.iter().filter_map(|masternode| masternode.rpc.as_ref().ok());
		for rpc in rpcs.take(MAX_ASKED) {
			let mut place = 0;
			while let Some(gap) = gap(known, place) {
				// There are no more than 2^24 blocks.
				let page = match rpc.receipts(chain, from.saturating_add(gap as u32)).await {
					Ok(page) if !page.is_empty() => page,
					Ok(_) => break,
					Err(error) => {
						log::debug!(target: "owner", "Receipts from {}: {error}", rpc.url());
						break;
					},
				};
				place = gap + page.len();
				fill(&mut known[gap..], page);
			}
		}
	}

	/// What each of `holders` says that it holds of a task. One that is no masternode any more has handed
	/// over what it held, and is left out.
	pub async fn held(
		&self,
		task: TaskId,
		holders: &[AccountId],
	) -> Vec<(AccountId, Result<Held, String>)> {
		let asked = self.masternodes.iter().filter(|known| holders.contains(&known.account));
		let answers = asked.map(|masternode| async move {
			let answer = match &masternode.rpc {
				Ok(rpc) => rpc.held(task).await.map_err(|error| error.to_string()),
				Err(reason) => Err(reason.clone()),
			};
			(masternode.account.clone(), answer)
		});
		join_all(answers).await
	}
}

/// The first gap from `place` on.
fn gap<T>(known: &[Option<T>], place: usize) -> Option<usize> {
	let rest = known.get(place..)?;
	rest.iter().position(Option::is_none).map(|gap| place + gap)
}

/// Fills gaps with what is found in their places.
fn fill<T>(known: &mut [Option<T>], found: Vec<Option<T>>) {
	for (known, found) in known.iter_mut().zip(found) {
		if known.is_none() {
			*known = found;
		}
	}
}

fn is_usable(view: &MasternodeView<AccountId, Balance>) -> bool {
	view.active && !view.key.0.is_zero()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn gaps_are_filled_and_nothing_else() {
		let mut known = vec![Some(0), None, Some(2), None, None];
		assert_eq!(
			[0, 1, 2, 4, 5, 6].map(|place| gap(&known, place)),
			[Some(1), Some(1), Some(3), Some(4), None, None]
		);
		fill(&mut known[1..], vec![Some(10), Some(20), None]);
		assert_eq!(known, [Some(0), Some(10), Some(2), None, None]);
		let longer = vec![Some(30), None, Some(50)];
		fill(&mut known[3..], longer);
		assert_eq!(known, [Some(0), Some(10), Some(2), Some(30), None]);
		assert_eq!(gap(&known, 0), Some(4));
	}
}
