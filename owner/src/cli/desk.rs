//! Who works on a task: the steps of the commands `dgcs task`, put together.

use std::path::Path;

use dgcs_client::{Account, Chain, Sender};
use dgcs_primitives::TaskId;
use dgcs_store::Store;
use serde_json::json;

use super::{
	exit::{Exit, Result},
	merge::Merging,
	output::Output,
	render,
};
use crate::{
	adopt, begin, fetch as fetch_results,
	fetch::fetched_before,
	hold, learn, manifest, prepare as prepare_content,
	record::{Fetched, Open, Record, Tasks},
	release, submit as submit_task, summarize,
	survey::Survey,
	watch as watch_task,
	wish::Wish,
	Error, Ledger, Network, SOLUTION,
};

/// Who works on a task, and with what.
pub(super) struct Desk<'a> {
	pub chain: Chain,
	pub account: Account,
	pub store: Store,
	pub tasks: Tasks,
	pub output: &'a Output,
}

impl Desk<'_> {
	fn sender(&self) -> Sender {
		Sender::new(self.chain.clone(), self.account.clone())
	}

	/// The task with this name or number, which may be unknown here.
	pub async fn take_up(&self, text: &str) -> Result<Open> {
		match known(&self.tasks, &self.chain, text)? {
			Some(record) => {
				check_chain(&self.chain, &record)?;
				Ok(self.tasks.open(&record.name)?)
			},
			None => {
				let task = number(text).unwrap_or_default();
				let owner = self.account.id();
				let open = adopt(&self.chain, &owner, &self.store, &self.tasks, task).await?;
				Ok(open)
			},
		}
	}

	/// Learns how the results of a task that was found on the chain are joined, before any is fetched.
	pub async fn learn(&self, open: &mut Open) -> Result<()> {
		if open.record.wish.is_none() {
			self.connect_store().await;
			learn(&self.chain, &self.store, &self.account.owner_secret(), open).await?;
		}
		Ok(())
	}

	/// Connects the store to those of the masternodes. That none can be reached is said when it matters.
	pub async fn connect_store(&self) {
		let network = async {
			let at = self.chain.at_finalized().await?;
			Network::at(&at).await?.connect(&self.store).await
		};
		match network.await {
			Ok(count) => log::debug!(target: "owner", "{count} masternodes' stores are connected"),
			Err(error) => log::info!(target: "owner", "{error}"),
		}
	}

	/// From a wish to its solution in `out`, or with `detach` until the owner may go offline. `survey` is of
	/// a task that is not paid yet.
	pub async fn run(
		&self,
		wish: &Wish,
		survey: Option<&Survey>,
		out: &Path,
		detach: bool,
		merging: Merging<'_>,
	) -> Result<Exit> {
		let mut open = begin(&self.tasks, &self.chain, &self.account.id(), wish, Some(out))?;
		open.update(|record| record.out = Some(out.into()))?;
		self.connect_store().await;
		if let Some(survey) = survey {
			self.prepare(survey, &mut open).await?;
		}
		let task = self.submit(&mut open).await?;
		self.hold(&mut open).await?;
		if detach {
			let fetch = self.output.flags().working(&format!("dgcs task fetch {task}"));
			self.output.note(&format!("Fetch the solution later by `{fetch}`"));
			return Ok(Exit::Done);
		}
		self.finish(open, out, merging).await
	}

	pub async fn prepare(&self, survey: &Survey, open: &mut Open) -> Result<()> {
		let tell = self.output.tell();
		prepare_content(&self.chain, &self.account, &self.store, survey, open, &tell).await?;
		let submit = format!("dgcs task submit {}", open.record.name);
		self.output.resume_with(self.output.flags().working(&submit));
		Ok(())
	}

	pub async fn submit(&self, open: &mut Open) -> Result<TaskId> {
		let task = submit_task(&self.sender(), open, &self.output.tell()).await?;
		let watch = format!("dgcs task watch {task}");
		self.output.resume_with(self.output.flags().working(&watch));
		Ok(task)
	}

	/// Serves the task until the masternodes have it.
	pub async fn hold(&self, open: &mut Open) -> Result<()> {
		let Some(task) = open.record.task() else { return Ok(()) };
		if open.record.held || open.record.settlement.is_some() {
			return Ok(());
		}
		let content = manifest(&self.store, &open.record).await?;
		Ok(hold(&self.chain, &self.store, &content, task, open, &self.output.tell()).await?)
	}

	/// Shuts the store down when the work with it is `done`, however that ended. What went wrong first is
	/// what is said.
	pub async fn close<T>(&self, done: Result<T>) -> Result<T> {
		close(&self.store, done).await
	}

	/// Follows the task to its end.
	pub async fn watch(&self, open: &mut Open) -> Result<Ledger> {
		follow(&self.chain, open, self.output).await
	}

	/// Fetches the results of a task that has ended.
	pub async fn fetch(&self, open: &mut Open, ledger: &Ledger, out: &Path) -> Result<Fetched> {
		self.output.resume_with(render::fetch_line(&open.record, out, self.output.flags()));
		if let Some(fetched) = fetched_before(&open.record, out)? {
			// What is on the disk does not depend on anybody who would still have the content.
			if let Err(error) = let_go(&self.store, &self.tasks, &open.record).await {
				log::debug!(target: "owner", "While letting go of {}: {error}", open.record.name);
			}
			return Ok(fetched);
		}
		self.connect_store().await;
		let content = manifest(&self.store, &open.record).await?;
		let secret = self.account.owner_secret();
		let tell = self.output.tell();
		let fetched =
			fetch_results(&self.store, &secret, &content, ledger, open, out, &tell).await?;
		release(&self.store, &self.tasks, &open.record, &content).await?;
		Ok(fetched)
	}

	/// From a task that is submitted to its solution in `out`.
	pub async fn finish(&self, mut open: Open, out: &Path, merging: Merging<'_>) -> Result<Exit> {
		let ledger = self.watch(&mut open).await?;
		if !open.record.merges() {
			let fetched = self.fetch(&mut open, &ledger, out).await?;
			return Ok(self.sum_up(&open.record, &ledger, &fetched));
		}
		let between = open.folder().join("results");
		let fetched = self.fetch(&mut open, &ledger, &between).await?;
		if !fetched.gaps.is_empty() {
			let exit = self.sum_up(&open.record, &ledger, &fetched);
			self.output.warn("results are missing, so that they are not merged");
			return Ok(exit);
		}
		self.merge(open, &fetched.folder.join(SOLUTION), out, merging).await
	}

	/// Says what to do about what the solution of a task that is no merge step lacks, and what came of it: that
	/// is the last word.
	fn sum_up(&self, record: &Record, ledger: &Ledger, fetched: &Fetched) -> Exit {
		if let Some(content) = &record.content {
			let again = match record.merges() {
				true => self.output.flags().working(&format!("dgcs task fetch {}", record.label())),
				false => render::fetch_line(record, &fetched.folder, self.output.flags()),
			};
			let limits = &content.spec.limits;
			let remedies = render::remedies(&fetched.gaps, limits, "", Some(&again));
			remedies.iter().for_each(|line| self.output.warn(line));
		}
		solved(record, ledger, fetched, self.output)
	}
}

/// Shuts a store down when the work with it is `done`, however that ended. What went wrong first is what is
/// said.
pub(super) async fn close<T>(store: &Store, done: Result<T>) -> Result<T> {
	let closed = store.shutdown().await;
	let value = done?;
	closed?;
	Ok(value)
}

/// Lets go of the content of a task, where the store has it: it is another one now, or was emptied.
pub(super) async fn let_go(store: &Store, tasks: &Tasks, record: &Record) -> Result<()> {
	let Some(content) = &record.content else { return Ok(()) };
	if store.has(&content.spec.manifest).await? {
		let content = manifest(store, record).await?;
		release(store, tasks, record, &content).await?;
	}
	Ok(())
}

pub(super) async fn follow(chain: &Chain, open: &mut Open, output: &Output) -> Result<Ledger> {
	let Some(task) = open.record.task() else {
		return Err(Error::NotSubmitted { name: open.record.name.clone() }.into());
	};
	check_chain(chain, &open.record)?;
	let mut ledger = Ledger::read(&open.work_chain(), task)?;
	watch_task(chain, task, open, &mut ledger, &output.tell()).await?;
	Ok(ledger)
}

pub(super) fn check_chain(chain: &Chain, record: &Record) -> Result<()> {
	let (expected, found) = (record.genesis, chain.genesis());
	if expected == found {
		return Ok(());
	}
	Err(Error::OtherChain { name: record.name.clone(), expected, found }.into())
}

/// Says what came of a task.
pub(super) fn solved(record: &Record, ledger: &Ledger, fetched: &Fetched, output: &Output) -> Exit {
	let Some(content) = &record.content else { return Exit::Failed };
	let summary = summarize(ledger, &content.spec);
	let exit = if fetched.gaps.is_empty() { Exit::Done } else { Exit::InPart };
	output.result(
		|| {
			let gaps = render::gaps(&fetched.gaps);
			let text = format!("{} bytes in {}{gaps}", fetched.bytes, fetched.folder.display());
			let workers = summary.workers.values().filter(|worker| worker.ranges > 0).count();
			let show = output.flags().asking(&format!("dgcs task show {}", record.label()));
			format!("{text}\nComputed by {workers} workers: see `{show}`")
		},
		|| {
			json!({
				"event": "done", "task": record.task(), "out": fetched.folder, "bytes": fetched.bytes,
				"gaps": render::gap_objects(&fetched.gaps), "exit": exit as u8,
			})
		},
	);
	exit
}

/// The number of a task, if that is how it is named. Local names have eight digits.
pub(super) fn number(text: &str) -> Option<TaskId> {
	let digits = text.len() < 8 && text.bytes().all(|byte| byte.is_ascii_digit());
	let number = text.strip_prefix('#').or(digits.then_some(text))?;
	number.parse().ok().map(TaskId)
}

/// The record of a task by its name or number.
pub(super) fn known(tasks: &Tasks, chain: &Chain, text: &str) -> Result<Option<Record>> {
	Ok(match number(text) {
		Some(task) => tasks.find(chain.genesis(), task)?,
		None => Some(tasks.get(text)?),
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn tasks_are_named_by_number_or_name() {
		assert_eq!(number("7"), Some(TaskId(7)));
		assert_eq!(number("0"), Some(TaskId(0)));
		assert_eq!(number("#12345678"), Some(TaskId(12_345_678)));
		assert_eq!(
			number("12345678"),
			None,
			"a local name has eight digits, which may all be decimal"
		);
		for name in ["", "#", "-1", "0a1b2c3d", "7 ", "#x"] {
			assert_eq!(number(name), None, "{name}");
		}
	}
}
