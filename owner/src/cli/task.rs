//! `dgcs task`.

use std::path::{Path, PathBuf};

use dgcs_client::{call, event::tasks::Cancelled, fee, Account, Chain, Sender};
use dgcs_content::content_id::display;
use dgcs_primitives::{api::TaskInfo, TaskId};
use dgcs_store::Store;
use serde_json::json;

use super::{
	args::{
		CancelArgs, EstimateArgs, FetchArgs, ListArgs, MergeArgs, PrepareArgs, RunArgs, ShowArgs,
		SubmitArgs, TaskCommand, WatchArgs, WishArgs,
	},
	attempt,
	context::{account, confirm, connect, open_store, Folders},
	exit::{CommandError, Exit, Result},
	output::Output,
	render::{self, Shown},
};
use crate::{
	adopt, begin,
	content::{blocking, is_solved},
	fetch as fetch_results,
	fetch::{fetched_before, free, take_back},
	hold, look, manifest,
	money::show,
	prepare as prepare_content, quote, read_program,
	record::{Fetched, Open, Record, RecordError, Submission, Tasks},
	release, resume, submission, submit as submit_task, summarize, survey,
	survey::Survey,
	watch as watch_task,
	wish::{JoinBy, Outline, Wish},
	Error, Ledger, Network, Quote, Stage, SOLUTION,
};

pub(super) async fn run(command: &TaskCommand, output: &Output) -> Result<Exit> {
	match command {
		TaskCommand::Try(args) => attempt::run(args, output).await,
		TaskCommand::Run(args) => run_task(args, output).await,
		TaskCommand::Prepare(args) => prepare(args, output).await,
		TaskCommand::Submit(args) => submit(args, output).await,
		TaskCommand::List(args) => list(args, output),
		TaskCommand::Show(args) => show_task(args, output).await,
		TaskCommand::Watch(args) => watch(args, output).await,
		TaskCommand::Fetch(args) => fetch(args, output).await,
		TaskCommand::Cancel(args) => cancel(args, output).await,
		TaskCommand::Estimate(args) => estimate(args, output).await,
	}
}

/// Who works on a task, and with what.
struct Desk<'a> {
	chain: Chain,
	account: Account,
	store: Store,
	tasks: Tasks,
	output: &'a Output,
}

impl Desk<'_> {
	fn sender(&self) -> Sender {
		Sender::new(self.chain.clone(), self.account.clone())
	}
}

/// What is said of a task's merge step.
#[derive(Clone, Copy)]
struct Merging<'a> {
	/// What the command line says.
	args: &'a MergeArgs,
	/// Whether its price was agreed to with that of the task, which is true of the first step alone.
	agreed: bool,
	/// Sign without asking.
	yes: bool,
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

/// What a wish comes to: looked at, and priced.
struct Plan {
	wish: Wish,
	survey: Survey,
	quote: Quote,
	/// That of the merge step, if there is one.
	merge: Option<Quote>,
}

impl Plan {
	async fn make(args: &WishArgs, chain: &Chain, owner: &Account) -> Result<Self> {
		let wish = args.wish().map_err(CommandError::Usage)?;
		Self::of(wish, chain, owner).await
	}

	async fn of(wish: Wish, chain: &Chain, owner: &Account) -> Result<Self> {
		let asked = wish.clone();
		let survey = blocking(move || {
			read_program(&asked.program)?;
			survey(&asked)
		})
		.await?;
		let block_time = chain.at_best().await?.block_time()?;
		let spec = wish.terms.spec(&Outline::of(&survey, &wish.terms), block_time);
		let quoted = quote(chain, &owner.id(), spec).await?;
		let merge = match wish.join {
			JoinBy::Merge => {
				let merge = wish.merge(PathBuf::new());
				let one = Survey { subtasks: 1, ..survey };
				let spec = merge.terms.spec(&Outline::of(&one, &merge.terms), block_time);
				Some(quote(chain, &owner.id(), spec).await?)
			},
			_ => None,
		};
		Ok(Plan { wish, survey, quote: quoted, merge })
	}

	fn total(&self) -> dgcs_client::Balance {
		let merge = self.merge.as_ref().map_or(0, Quote::needed);
		self.quote.needed().saturating_add(merge)
	}

	fn show(&self, output: &Output) {
		let (merge, bytes) = (self.merge.as_ref(), self.survey.bytes);
		output.result(
			|| render::quote(&self.quote, merge, bytes),
			|| render::quote_object(&self.quote, merge, bytes),
		);
		if !output.is_json() {
			self.quote.warnings_with(merge).iter().for_each(|warning| output.warn(warning));
		}
	}

	/// Whether the owner has the money.
	fn check(&self, owner: &Account) -> Result<()> {
		Ok(self.quote.check(&owner.id(), self.merge.as_ref().map_or(0, Quote::needed))?)
	}
}

async fn estimate(args: &EstimateArgs, output: &Output) -> Result<Exit> {
	let folders = Folders::of(&args.common)?;
	let owner = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	let plan = Plan::make(&args.wish, &chain, &owner).await?;
	plan.show(output);
	if let Err(error) = plan.check(&owner) {
		output.warn(&error.to_string());
	}
	Ok(Exit::Done)
}

async fn run_task(args: &RunArgs, output: &Output) -> Result<Exit> {
	let folders = Folders::of(&args.common)?;
	let tasks = folders.tasks();
	let account = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	let out = std::path::absolute(&args.out).map_err(crate::error::at(&args.out))?;
	let wish = args.wish.wish().map_err(CommandError::Usage)?;
	let earlier = resume(&tasks, &chain, &account.id(), &wish, Some(&out))?;
	let paid = earlier.filter(|record| record.submission != Submission::None);
	let survey = match &paid {
		Some(record) => {
			let label = record.label();
			output.note(&match is_solved(&tasks, record) {
				true => format!("Task {label} is done, and nothing is paid again"),
				false => format!("Going on with task {label}, which is paid"),
			});
			None
		},
		None => {
			let plan = Plan::of(wish.clone(), &chain, &account).await?;
			free(&out)?;
			plan.show(output);
			plan.check(&account)?;
			let question = format!("Hold {} for this task?", show(plan.total()));
			confirm(&question, args.yes, output).await?;
			Some(plan.survey)
		},
	};
	output.resume_with("the same command");
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks, output };
	let merging = Merging { args: &args.wish.merge, agreed: true, yes: args.yes };
	let exit = desk.run(&wish, survey.as_ref(), &out, args.detach, merging).await;
	desk.store.shutdown().await?;
	exit
}

impl Desk<'_> {
	/// Connects the store to those of the masternodes. That none can be reached is said when it matters.
	async fn connect_store(&self) {
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
	async fn run(
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
			self.output.note(&format!("Fetch the solution later by `dgcs task fetch {task}`"));
			return Ok(Exit::Done);
		}
		self.finish(open, out, merging).await
	}

	async fn prepare(&self, survey: &Survey, open: &mut Open) -> Result<()> {
		let tell = self.output.tell();
		prepare_content(&self.chain, &self.account, &self.store, survey, open, &tell).await?;
		self.output.resume_with(format!("dgcs task submit {}", open.record.name));
		Ok(())
	}

	async fn submit(&self, open: &mut Open) -> Result<TaskId> {
		let task = submit_task(&self.sender(), open, &self.output.tell()).await?;
		self.output.resume_with(format!("dgcs task watch {task}"));
		Ok(task)
	}

	/// Serves the task until the masternodes have it.
	async fn hold(&self, open: &mut Open) -> Result<()> {
		let Some(task) = open.record.task() else { return Ok(()) };
		if open.record.held || open.record.settlement.is_some() {
			return Ok(());
		}
		let content = manifest(&self.store, &open.record).await?;
		Ok(hold(&self.chain, &self.store, &content, task, open, &self.output.tell()).await?)
	}

	/// Follows the task to its end.
	async fn watch(&self, open: &mut Open) -> Result<Ledger> {
		follow(&self.chain, open, self.output).await
	}

	/// Fetches the results of a task that has ended.
	async fn fetch(&self, open: &mut Open, ledger: &Ledger, out: &Path) -> Result<Fetched> {
		self.output.resume_with(render::fetch_line(&open.record, out));
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
	async fn finish(&self, mut open: Open, out: &Path, merging: Merging<'_>) -> Result<Exit> {
		let ledger = self.watch(&mut open).await?;
		if !open.record.merges() {
			let fetched = self.fetch(&mut open, &ledger, out).await?;
			return Ok(solved(&open.record, &ledger, &fetched, self.output));
		}
		let between = open.folder().join("results");
		let fetched = self.fetch(&mut open, &ledger, &between).await?;
		if !fetched.gaps.is_empty() {
			let exit = solved(&open.record, &ledger, &fetched, self.output);
			self.output.warn("results are missing, so that they are not merged");
			return Ok(exit);
		}
		self.merge(open, &fetched.folder.join(SOLUTION), out, merging).await
	}

	/// The merge step: a task of its own, whose input is the file `results`. One that has ended without a
	/// result is followed by another one where that makes sense.
	async fn merge(
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
		self.output.resume_with(render::fetch_line(&task, out));
		let last = last_step(&self.tasks, &task)?;
		let merge = wish.merge(results.into());
		let merge = merging.wish(merge, last.as_ref().map(|step| &step.record))?;
		// A step of which nothing is known any more may have been paid.
		let mut first = task.merge.is_none();
		let mut failed = None;
		match last {
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
		let plan = Plan::of(merge.clone(), &self.chain, &self.account).await?;
		if !merging.agreed {
			plan.show(self.output);
		}
		plan.check(&self.account)?;
		if !merging.agreed {
			let question = format!("Hold {} for the merge step?", show(plan.total()));
			confirm(&question, merging.yes, self.output).await?;
		}
		if let Some(failed) = failed.filter(|failed| failed.folder == out) {
			take_back(failed)?;
		}
		free(out)?;
		let mut step = begin(&self.tasks, &self.chain, &self.account.id(), merge, None)?;
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
		self.output.resume_with(render::fetch_line(task, out));
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
			self.output.warn(&render::unmerged(task, step, results, out));
		}
		exit
	}
}

/// Lets go of the content of a task, where the store has it: it is another one now, or was emptied.
async fn let_go(store: &Store, tasks: &Tasks, record: &Record) -> Result<()> {
	let Some(content) = &record.content else { return Ok(()) };
	if store.has(&content.spec.manifest).await? {
		let content = manifest(store, record).await?;
		release(store, tasks, record, &content).await?;
	}
	Ok(())
}

async fn follow(chain: &Chain, open: &mut Open, output: &Output) -> Result<Ledger> {
	let Some(task) = open.record.task() else {
		return Err(Error::NotSubmitted { name: open.record.name.clone() }.into());
	};
	check_chain(chain, &open.record)?;
	let mut ledger = Ledger::read(&open.work_chain(), task)?;
	watch_task(chain, task, open, &mut ledger, &output.tell()).await?;
	Ok(ledger)
}

fn check_chain(chain: &Chain, record: &Record) -> Result<()> {
	let (expected, found) = (record.genesis, chain.genesis());
	if expected == found {
		return Ok(());
	}
	Err(Error::OtherChain { name: record.name.clone(), expected, found }.into())
}

/// Says what came of a task.
fn solved(record: &Record, ledger: &Ledger, fetched: &Fetched, output: &Output) -> Exit {
	let Some(content) = &record.content else { return Exit::Failed };
	let summary = summarize(ledger, &content.spec);
	let exit = if fetched.gaps.is_empty() { Exit::Done } else { Exit::InPart };
	output.result(
		|| {
			let gaps = render::gaps(&fetched.gaps);
			let text = format!("{} bytes in {}{gaps}", fetched.bytes, fetched.folder.display());
			let workers = summary.workers.values().filter(|worker| worker.ranges > 0).count();
			format!(
				"{text}\nComputed by {workers} workers: see `dgcs task show {}`",
				record.label()
			)
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

async fn prepare(args: &PrepareArgs, output: &Output) -> Result<Exit> {
	let folders = Folders::of(&args.common)?;
	let account = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	let plan = Plan::make(&args.wish, &chain, &account).await?;
	plan.show(output);
	output.resume_with("the same command");
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks: folders.tasks(), output };
	let mut open = begin(&desk.tasks, &desk.chain, &desk.account.id(), &plan.wish, None)?;
	desk.prepare(&plan.survey, &mut open).await?;
	desk.store.shutdown().await?;
	let name = open.record.name.clone();
	let Some(content) = &open.record.content else {
		return Err(Error::NotPrepared { name }.into());
	};
	let call = submission(&content.spec).to_hex();
	output.result(
		|| {
			format!(
				"Task {name}, manifest {}\nSubmit it by `dgcs task submit {name}`, or sign this call in \
				 polkadot.js (Developer, Extrinsics, Decode), and then `dgcs task watch NUMBER`:\n{call}",
				display(&content.spec.manifest)
			)
		},
		|| {
			let mut object = render::record_object(&open.record);
			object["event"] = "call".into();
			object["call"] = call.clone().into();
			object
		},
	);
	Ok(Exit::Done)
}

async fn submit(args: &SubmitArgs, output: &Output) -> Result<Exit> {
	let folders = Folders::of(&args.common)?;
	let tasks = folders.tasks();
	let mut open = tasks.open(&args.task)?;
	if let Some(task) = open.record.task() {
		return Err(Error::Submitted { name: open.record.name.clone(), task }.into());
	}
	let Some(content) = open.record.content.clone() else {
		return Err(Error::NotPrepared { name: open.record.name.clone() }.into());
	};
	output.resume_with(format!("dgcs task submit {}", args.task));
	let account = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	check_chain(&chain, &open.record)?;
	if account.id() != open.record.owner {
		return Err(CommandError::Usage(format!(
			"the task {} is encrypted with the secret of {}: give --account that one, not {}",
			open.record.name,
			open.record.owner,
			account.address()
		)));
	}
	// What was sent before is paid already, or is looked for.
	if open.record.submission == Submission::None {
		let quoted = quote(&chain, &account.id(), content.spec.clone()).await?;
		output.result(
			|| render::quote(&quoted, None, content.input_len),
			|| render::quote_object(&quoted, None, content.input_len),
		);
		if !output.is_json() {
			quoted.warnings().iter().for_each(|warning| output.warn(warning));
		}
		quoted.check(&account.id(), 0)?;
		let question = format!("Hold {} for this task?", show(quoted.needed()));
		confirm(&question, args.yes, output).await?;
	}
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks, output };
	desk.connect_store().await;
	let task = desk.submit(&mut open).await?;
	desk.hold(&mut open).await?;
	desk.store.shutdown().await?;
	output.note(&format!("Follow it by `dgcs task watch {task}`"));
	Ok(Exit::Done)
}

fn list(args: &ListArgs, output: &Output) -> Result<Exit> {
	let (records, wrong) = Folders::of(&args.common)?.tasks().list()?;
	output.result(
		|| render::list(&records),
		|| json!({"tasks": records.iter().map(render::record_object).collect::<Vec<_>>()}),
	);
	wrong.iter().for_each(|error| output.warn(&error.to_string()));
	Ok(Exit::Done)
}

/// The number of a task, if that is how it is named. Local names have eight digits.
fn number(text: &str) -> Option<TaskId> {
	let digits = text.len() < 8 && text.bytes().all(|byte| byte.is_ascii_digit());
	let number = text.strip_prefix('#').or(digits.then_some(text))?;
	number.parse().ok().map(TaskId)
}

/// The record of a task by its name or number.
fn known(tasks: &Tasks, chain: &Chain, text: &str) -> Result<Option<Record>> {
	Ok(match number(text) {
		Some(task) => tasks.find(chain.genesis(), task)?,
		None => Some(tasks.get(text)?),
	})
}

async fn show_task(args: &ShowArgs, output: &Output) -> Result<Exit> {
	let tasks = Folders::of(&args.common)?.tasks();
	let chain = connect(&args.chain, output).await?;
	let Some(record) = known(&tasks, &chain, &args.task)? else {
		return show_foreign(&chain, &args.task, output).await;
	};
	check_chain(&chain, &record)?;
	let (mut stage, mut votes) = (None, Vec::new());
	let mut ledger =
		Ledger::read(&tasks.work_chain(&record.name), record.task().unwrap_or_default())?;
	if let Some(task) = record.task() {
		// Another dgcs may be at it, and keeps the verdicts itself.
		if let Ok(mut open) = tasks.open(&record.name) {
			let found = look(&chain, task, &open, &mut ledger).await?;
			if let (Stage::Ended(settlement), None) = (&found, &open.record.settlement) {
				let settlement = settlement.clone();
				open.update(|record| record.settlement = Some(settlement))?;
			}
			stage = Some(found);
		}
		votes = chain.at_best().await?.votes_of_task(task).await?;
	}
	let record = tasks.get(&record.name)?;
	let summary = match &record.content {
		Some(content) => summarize(&ledger, &content.spec),
		None => crate::Summary::default(),
	};
	let shown = Shown { record: &record, stage: stage.as_ref(), summary: &summary, votes: &votes };
	output.result(|| render::task(&shown, args.all), || render::task_object(&shown));
	Ok(Exit::Done)
}

/// A task that this machine does not know: what the chain says of it, without taking it up.
async fn show_foreign(chain: &Chain, text: &str, output: &Output) -> Result<Exit> {
	let task = number(text).unwrap_or_default();
	let at = chain.at_finalized().await?;
	let info = at.task(task).await?.ok_or(Error::UnknownTask { task })?;
	let folder = tempfile::tempdir().map_err(crate::error::at("the folder for temporary files"))?;
	let scratch = Tasks::new(folder.path());
	let owner = match &info {
		TaskInfo::Live(view) => view.owner.clone(),
		TaskInfo::Settled(settlement) => settlement.owner.clone(),
	};
	let nonce = dgcs_content::TaskNonce([0; 32]);
	let mut record = Record::new(chain.genesis(), owner, nonce);
	record.submission = Submission::Done { task, block: 1 };
	let mut votes = Vec::new();
	if let TaskInfo::Live(view) = &info {
		let (spec, program) = (view.spec.clone(), view.spec.manifest);
		let content = crate::record::Content { spec, program, input_len: 0, shards: 0 };
		record.content = Some(content);
		votes = at.votes_of_task(task).await?;
	}
	let open = scratch.create(record)?;
	let mut ledger = Ledger::read(&open.work_chain(), task)?;
	let stage = match info {
		TaskInfo::Live(_) => look(chain, task, &open, &mut ledger).await?,
		TaskInfo::Settled(settlement) => Stage::Ended(settlement),
	};
	let summary = match &open.record.content {
		Some(content) => summarize(&ledger, &content.spec),
		None => crate::Summary::default(),
	};
	let record = &open.record;
	let shown = Shown { record, stage: Some(&stage), summary: &summary, votes: &votes };
	output.result(|| render::task(&shown, false), || render::task_object(&shown));
	Ok(Exit::Done)
}

async fn watch(args: &WatchArgs, output: &Output) -> Result<Exit> {
	output.resume_with(format!("dgcs task watch {}", args.task));
	let folders = Folders::of(&args.common)?;
	let tasks = folders.tasks();
	let chain = connect(&args.chain, output).await?;
	let record = known(&tasks, &chain, &args.task)?;
	// A task that masternodes hold needs neither the account nor the store.
	let held = record.as_ref().is_some_and(|record| record.held || record.settlement.is_some());
	let (open, ledger) = match record.filter(|_| held) {
		Some(record) => {
			let mut open = tasks.open(&record.name)?;
			let ledger = follow(&chain, &mut open, output).await?;
			(open, ledger)
		},
		None => {
			let account = account(&args.signer, &args.chain, &folders, output)?;
			let store = open_store(&args.store, &folders).await?;
			let desk = Desk { chain: chain.clone(), account, store, tasks, output };
			let mut open = desk.take_up(&args.task).await?;
			desk.hold(&mut open).await?;
			let ledger = desk.watch(&mut open).await?;
			desk.store.shutdown().await?;
			(open, ledger)
		},
	};
	let Some(content) = &open.record.content else { return Ok(Exit::Done) };
	let summary = summarize(&ledger, &content.spec);
	let stage = open.record.settlement.clone().map(Stage::Ended);
	let shown =
		Shown { record: &open.record, stage: stage.as_ref(), summary: &summary, votes: &[] };
	output.result(|| render::task(&shown, false), || render::task_object(&shown));
	if summary.agreed > 0 {
		let label = open.record.label();
		output.note(&format!("Fetch the solution by `dgcs task fetch {label} --out FOLDER`"));
	}
	let all = summary.agreed == content.spec.subtasks;
	Ok(if all { Exit::Done } else { Exit::InPart })
}

impl Desk<'_> {
	/// The task with this name or number, which may be unknown here.
	async fn take_up(&self, text: &str) -> Result<Open> {
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
}

async fn fetch(args: &FetchArgs, output: &Output) -> Result<Exit> {
	output.resume_with(format!("dgcs task fetch {}", args.task));
	let folders = Folders::of(&args.common)?;
	let account = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks: folders.tasks(), output };
	let exit = fetch_at(&desk, args).await;
	desk.store.shutdown().await?;
	exit
}

async fn fetch_at(desk: &Desk<'_>, args: &FetchArgs) -> Result<Exit> {
	let open = desk.take_up(&args.task).await?;
	let Some(task) = open.record.task() else {
		return Err(Error::NotSubmitted { name: open.record.name.clone() }.into());
	};
	if open.record.owner != desk.account.id() {
		let (owner, account) = (open.record.owner.to_string(), desk.account.address());
		return Err(Error::OtherOwner { task, owner, account }.into());
	}
	let out = args.out.clone().or_else(|| open.record.out.clone()).ok_or_else(|| {
		CommandError::Usage("where to? Give --out a folder that is empty or does not exist".into())
	})?;
	let out = std::path::absolute(&out).map_err(crate::error::at(&out))?;
	let mut ledger = Ledger::read(&open.work_chain(), task)?;
	if let Stage::Live(view) = look(&desk.chain, task, &open, &mut ledger).await? {
		return Err(Error::NotEnded { task, open: view.open_subtasks }.into());
	}
	if !open.record.merges() && !args.merge.is_empty() {
		return Err(CommandError::Usage(format!(
			"this machine knows of no merge step that task {task} would have: leave --merge-arg, --merge-time, \
			 --merge-memory and --merge-fuel away"
		)));
	}
	let merging = Merging { args: &args.merge, agreed: false, yes: args.yes };
	desk.finish(open, &out, merging).await
}

async fn cancel(args: &CancelArgs, output: &Output) -> Result<Exit> {
	let folders = Folders::of(&args.common)?;
	if number(&args.task).is_none() {
		let tasks = folders.tasks();
		// One that was sent and not found goes on with `submit`, unless its owner gives that up.
		if !matches!(tasks.get(&args.task)?.submission, Submission::Done { .. }) {
			let open = tasks.open(&args.task)?;
			return forget(open, args, &folders, output).await;
		}
	}
	let account = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	let task = match known(&folders.tasks(), &chain, &args.task)? {
		Some(record) => {
			let name = record.name.clone();
			record.task().ok_or(Error::NotSubmitted { name })?
		},
		None => number(&args.task).unwrap_or_default(),
	};
	let cancel = call::tasks::cancel(task);
	let fee = fee(&chain, &account.id(), &cancel).await?;
	confirm(&format!("Cancel task {task} for a fee of {}?", show(fee)), args.yes, output).await?;
	let included = Sender::new(chain, account).send_and_finalize(&cancel).await?;
	let event: Cancelled = included.event()?;
	output.result(
		|| {
			format!(
				"Task {task} is cancelled: {} subtasks are not computed any more. What was begun is still \
				 decided and paid",
				event.withdrawn
			)
		},
		|| json!({"event": "cancelled", "task": task, "withdrawn": event.withdrawn}),
	);
	Ok(Exit::Done)
}

/// Lets go of a task that is not known to be submitted: an input that has changed since leaves one behind.
async fn forget(open: Open, args: &CancelArgs, folders: &Folders, output: &Output) -> Result<Exit> {
	let name = open.record.name.clone();
	let sent = matches!(open.record.submission, Submission::Sent { .. });
	let known = if sent { "may have been submitted and paid for" } else { "was never submitted" };
	let question = format!("Forget the task {name}, which {known}, and its content?");
	confirm(&question, args.yes, output).await?;
	if open.record.content.is_some() {
		let store = open_store(&args.store, folders).await?;
		let_go(&store, &folders.tasks(), &open.record).await?;
		store.shutdown().await?;
	}
	open.remove()?;
	output.result(
		|| match sent {
			true => format!("The task {name} is forgotten here"),
			false => {
				format!("The task {name} is forgotten. It was never submitted, and cost nothing")
			},
		},
		|| json!({"event": "forgotten", "name": name}),
	);
	Ok(Exit::Done)
}

#[cfg(test)]
pub(super) mod tests {
	use dgcs_client::{AccountId, Balance};
	use dgcs_content::TaskNonce;
	use dgcs_primitives::{Settlement, SubtaskLimits, Sums, TaskEnd};
	use sp_core::H256;

	use super::*;
	use crate::wish::{Split, Terms};

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
			folder: "out".into(),
			next: 1,
			bytes: 0,
			gaps: reasons.iter().map(|reason| (0, reason.to_string())).collect(),
			done: true,
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
