//! The merge step of a task: a task of its own, over the results of the first.

use std::path::Path;

use super::{
	args::MergeArgs,
	context::confirm,
	desk::{let_go, solved, Desk},
	exit::{CommandError, Exit, Result},
	plan::Plan,
	render,
};
use crate::{
	begin,
	fetch::{free, take_back},
	record::{Fetched, Open, Record, RecordError, Submission, Tasks},
	wish::Wish,
	Ledger,
};

/// What is said of a task's merge step.
#[derive(Clone, Copy)]
pub(super) struct Merging<'a> {
	/// What the command line says.
	pub args: &'a MergeArgs,
	/// Whether its price was agreed to with that of the task, which is true of the first step alone.
	pub agreed: bool,
	/// Sign without asking.
	pub yes: bool,
}

impl Merging<'_> {
	/// What the merge step is to be: what the task asks for in `merge`, or what the last step was, but for
	/// what is said now.
	fn wish(&self, mut merge: Wish, last: Option<&Record>) -> Result<Wish> {
		if let Some(last) = last.and_then(|step| step.wish.as_ref()) {
			merge.arguments = last.arguments.clone();
			merge.terms.limits = last.terms.limits;
		}
		self.args.change(&mut merge).map_err(CommandError::Usage)?;
		Ok(merge)
	}
}

/// The last merge step of a task, if this machine still knows it: one that is not known to be submitted may
/// have been forgotten.
fn last_step(tasks: &Tasks, task: &Record) -> Result<Option<Open>> {
	match task.merge.as_deref().map(|name| tasks.open(name)) {
		None | Some(Err(RecordError::Unknown { .. })) => Ok(None),
		Some(step) => Ok(Some(step?)),
	}
}

/// Whether a merge step is what `merge` asks for.
fn is_as_asked(step: &Record, merge: &Wish) -> bool {
	let told = |wish: &Wish| wish.arguments == merge.arguments;
	let allowed = |wish: &Wish| wish.terms.limits == merge.terms.limits;
	step.wish.as_ref().is_some_and(|wish| told(wish) && allowed(wish))
}

/// Whether another merge step has to follow one that has ended. A step is not paid for twice to fail
/// twice: only one that nobody was paid for is submitted again as it was, and not before its owner has
/// read that it failed.
fn is_to_be_repeated(step: &Record, merge: &Wish, known: bool) -> bool {
	let failed = step.fetched.as_ref().is_some_and(Fetched::lacks);
	let unpaid = step.settlement.as_ref().is_some_and(|end| end.sums.paid == 0);
	failed && (!is_as_asked(step, merge) || (unpaid && known))
}

impl Desk<'_> {
	/// The merge step: a task of its own, whose input is the file `results`. One that has ended without a
	/// result is followed by another one where that makes sense.
	pub async fn merge(
		&self,
		open: Open,
		results: &Path,
		out: &Path,
		merging: Merging<'_>,
	) -> Result<Exit> {
		let task = open.record.clone();
		// Others may look at the task while the step is computed.
		drop(open);
		let Some(wish) = &task.wish else { return Ok(Exit::Failed) };
		self.output.resume_with(render::fetch_line(&task, out, self.output.flags()));
		let last = last_step(&self.tasks, &task)?;
		let merge = wish.merge(results.into());
		let merge = merging.wish(merge, last.as_ref().map(|step| &step.record))?;
		// A step of which nothing is known any more may have been paid.
		let mut first = task.merge.is_none();
		let mut failed = None;
		match last {
			None if task.program.is_none() && first => self.output.warn(&format!(
				"this machine knows of no step that merges the results of task {}. If another machine has \
				 submitted one, `dgcs task fetch` with that one's number gets the solution for nothing",
				task.label()
			)),
			None => {},
			Some(step) if step.record.submission == Submission::None => {
				first = true;
				if !is_as_asked(&step.record, &merge) {
					let_go(&self.store, &self.tasks, &step.record).await?;
					step.remove()?;
				}
			},
			Some(mut step) => {
				let known = step.record.fetched.as_ref().is_some_and(Fetched::lacks);
				if !known && !is_as_asked(&step.record, &merge) {
					self.output.note(
						"The merge step was submitted before: what is said of it now is for another one, \
						 if it ends without a result",
					);
				}
				let (ledger, fetched) = self.complete(&mut step, &task, out).await?;
				if !is_to_be_repeated(&step.record, &merge, known) {
					let step = &step.record;
					return Ok(self.merged(&task, step, &ledger, &fetched, results, out));
				}
				failed = Some(fetched);
			},
		}
		let merging = Merging { agreed: merging.agreed && first, ..merging };
		let mut step = self.begin_step(&task, &merge, failed.as_ref(), out, merging).await?;
		let (ledger, fetched) = self.complete(&mut step, &task, out).await?;
		Ok(self.merged(&task, &step.record, &ledger, &fetched, results, out))
	}

	/// Submits a step that merges the results of `task`, once its price is agreed to. `failed` is what came
	/// of the last one.
	async fn begin_step(
		&self,
		task: &Record,
		merge: &Wish,
		failed: Option<&Fetched>,
		out: &Path,
		merging: Merging<'_>,
	) -> Result<Open> {
		let mut open = self.tasks.open(&task.name)?;
		if open.record.merge != task.merge {
			// Another dgcs has begun one in the meantime, which must not be paid twice.
			let name = task.name.clone();
			return Err(RecordError::Busy { name }.into());
		}
		let owner = self.account.id();
		let plan = Plan::of(merge.clone(), &self.chain, &owner).await?;
		if !merging.agreed {
			plan.show(self.output);
		}
		plan.check(&owner)?;
		if !merging.agreed {
			confirm(&plan.question("the merge step"), merging.yes, self.output).await?;
		}
		if let Some(failed) = failed.filter(|failed| failed.folder == out) {
			take_back(failed)?;
		}
		free(out)?;
		let mut step = begin(&self.tasks, &self.chain, &owner, merge, None)?;
		let name = step.record.name.clone();
		open.update(|record| record.merge = Some(name))?;
		self.prepare(&plan.survey, &mut step).await?;
		step.update(|record| record.out = Some(out.into()))?;
		self.submit(&mut step).await?;
		Ok(step)
	}

	/// Follows a merge step that is submitted, or was about to be, to its end, and fetches what came of it.
	async fn complete(
		&self,
		step: &mut Open,
		task: &Record,
		out: &Path,
	) -> Result<(Ledger, Fetched)> {
		self.submit(step).await?;
		self.output.resume_with(render::fetch_line(task, out, self.output.flags()));
		self.hold(step).await?;
		let ledger = self.watch(step).await?;
		let fetched = match step.record.fetched.clone().filter(Fetched::lacks) {
			// It is no solution, wherever that is wanted now.
			Some(failed) => failed,
			None => self.fetch(step, &ledger, out).await?,
		};
		Ok((ledger, fetched))
	}

	/// Says what came of a merge step.
	fn merged(
		&self,
		task: &Record,
		step: &Record,
		ledger: &Ledger,
		fetched: &Fetched,
		results: &Path,
		out: &Path,
	) -> Exit {
		let exit = solved(step, ledger, fetched, self.output);
		if fetched.lacks() {
			let unmerged = render::unmerged(task, step, results, out, self.output.flags());
			self.output.warn(&unmerged);
		}
		exit
	}
}

#[cfg(test)]
pub(super) mod tests {
	use dgcs_client::{AccountId, Balance};
	use dgcs_content::TaskNonce;
	use dgcs_primitives::{Settlement, SubtaskLimits, Sums, TaskEnd};
	use sp_core::H256;

	use super::*;
	use crate::wish::{JoinBy, Split, Terms};

	pub fn wish() -> Wish {
		Wish {
			program: "p.wasm".into(),
			input: None,
			split: Split::Index(3),
			join: JoinBy::Merge,
			arguments: vec![],
			environment: vec![],
			merge_arguments: vec!["merge".into()],
			terms: Terms::usual(),
		}
	}

	fn record(byte: u8, wish: Wish) -> Record {
		let owner = AccountId::new([2; 32]);
		let mut record = Record::new(H256::zero(), owner, TaskNonce([byte; 32]));
		record.wish = Some(wish);
		record
	}

	/// A merge step that has ended, without a result if there are reasons for that.
	fn ended(merge: Wish, reasons: &[&str], paid: Balance) -> Record {
		let mut step = record(8, merge);
		step.fetched = Some(Fetched {
			next: 1,
			gaps: reasons.iter().map(|reason| (0, (*reason).into())).collect(),
			done: true,
			..Fetched::begun("out".into())
		});
		step.settlement = Some(Settlement {
			owner: step.owner.clone(),
			when: 9,
			end: TaskEnd::Completed,
			chain: Default::default(),
			sums: Sums { paid, masternodes: 0, refunded: 0 },
		});
		step
	}

	#[test]
	fn no_merge_step_is_paid_for_twice_to_fail_twice() {
		let merge = wish().merge("results".into());
		let mut more = merge.clone();
		more.terms.limits.memory_mib *= 2;
		let mut other = merge.clone();
		other.arguments = vec!["join".into()];
		for reason in ["out of memory", "out of fuel", "timed out", "trap", "exit code 1"] {
			let step = ended(merge.clone(), &[reason], 3);
			for known in [false, true] {
				assert!(!is_to_be_repeated(&step, &merge, known), "{reason}: it would do so again");
				assert!(is_to_be_repeated(&step, &more, known), "{reason}: it has more memory");
				assert!(is_to_be_repeated(&step, &other, known), "{reason}: it is told otherwise");
			}
		}
		let step = ended(merge.clone(), &["no verdict"], 0);
		assert!(is_to_be_repeated(&step, &merge, true), "nobody was paid, and its owner knows");
		assert!(!is_to_be_repeated(&step, &merge, false), "its owner does not know yet");
		assert!(is_to_be_repeated(&step, &more, false));
		let step = ended(merge.clone(), &[], 3);
		assert!(!is_to_be_repeated(&step, &more, true), "it has a result");
		let step = record(8, merge);
		assert!(!is_to_be_repeated(&step, &more, true), "it has not ended");
	}

	#[test]
	fn a_merge_step_is_as_the_last_one_but_for_what_is_said() {
		let limits = SubtaskLimits { memory_mib: 512, ..Terms::usual().limits };
		let mut task = wish();
		task.terms.merge_limits = Some(limits);
		let next = |args: &MergeArgs, last: Option<&Record>| {
			let merging = Merging { args, agreed: false, yes: false };
			merging.wish(task.merge("results".into()), last).expect("what is said makes sense")
		};
		let nothing = MergeArgs::default();
		let first = next(&nothing, None);
		assert_eq!(first, task.merge("results".into()));
		assert_eq!(first.terms.limits, limits);
		let said = MergeArgs { merge_memory: Some(1024), ..MergeArgs::default() };
		let second = next(&said, Some(&record(8, first)));
		assert_eq!(second.terms.limits.memory_mib, 1024);
		let said = MergeArgs { merge_arguments: vec!["join".into()], ..MergeArgs::default() };
		let third = next(&said, Some(&record(8, second)));
		assert_eq!(third.terms.limits.memory_mib, 1024);
		assert_eq!(third.arguments, ["join"]);
		assert_eq!(next(&nothing, Some(&record(8, third.clone()))), third);
	}

	#[test]
	fn a_merge_step_that_was_forgotten_is_none() {
		let folder = tempfile::tempdir().expect("a folder");
		let tasks = Tasks::new(folder.path());
		let mut task = record(7, wish());
		assert!(last_step(&tasks, &task).expect("none").is_none());
		let step = tasks.create(record(8, wish().merge("results".into()))).expect("there is room");
		task.merge = Some(step.record.name.clone());
		assert!(last_step(&tasks, &task).is_err(), "another process works on it");
		drop(step);
		let step = last_step(&tasks, &task).expect("readable").expect("it is there");
		step.remove().expect("it is there");
		assert!(last_step(&tasks, &task).expect("none").is_none());
	}
}
