//! `dgcs task`.

use dgcs_client::{call, event::tasks::Cancelled, fee, Chain, Sender};
use dgcs_content::content_id::display;
use dgcs_primitives::api::TaskInfo;
use serde_json::json;

use super::{
	args::{
		CancelArgs, EstimateArgs, FetchArgs, ListArgs, PrepareArgs, RunArgs, ShowArgs, SubmitArgs,
		TaskCommand, WatchArgs,
	},
	attempt,
	context::{account, address, confirm, connect, open_store, Folders},
	desk::{check_chain, close, follow, known, let_go, number, Desk},
	exit::{CommandError, Exit, Result},
	flags::quoted,
	merge::Merging,
	output::Output,
	plan::Plan,
	render::{self, Shown},
};
use crate::{
	begin,
	content::is_solved,
	fetch::{fetched_before, free},
	look,
	money::show,
	quote,
	record::{Open, Record, Submission, Tasks},
	resume, submission, summarize, Error, Ledger, Network, Stage,
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

async fn estimate(args: &EstimateArgs, output: &Output) -> Result<Exit> {
	let folders = Folders::of(&args.common)?;
	let owner = address(&args.signer, &args.chain, &folders)?;
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
			let plan = Plan::of(wish.clone(), &chain, &account.id()).await?;
			free(&out)?;
			plan.show(output);
			plan.check(&account.id())?;
			confirm(&plan.question("this task"), args.yes, output).await?;
			Some(plan.survey)
		},
	};
	output.resume_with("the same command");
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks, output };
	let merging = Merging { args: &args.wish.merge, agreed: true, yes: args.yes };
	desk.close(desk.run(&wish, survey.as_ref(), &out, args.detach, merging).await).await
}

async fn prepare(args: &PrepareArgs, output: &Output) -> Result<Exit> {
	let folders = Folders::of(&args.common)?;
	let account = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	let plan = Plan::make(&args.wish, &chain, &account.id()).await?;
	plan.show(output);
	output.resume_with("the same command");
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks: folders.tasks(), output };
	let prepared = async {
		let mut open = begin(&desk.tasks, &desk.chain, &desk.account.id(), &plan.wish, None)?;
		desk.prepare(&plan.survey, &mut open).await?;
		Ok(open)
	};
	let open = desk.close(prepared.await).await?;
	let name = open.record.name.clone();
	let Some(content) = &open.record.content else {
		return Err(Error::NotPrepared { name }.into());
	};
	let call = submission(&content.spec).to_hex();
	output.result(
		|| {
			let submit = output.flags().working(&format!("dgcs task submit {name}"));
			let watch = output.flags().working("dgcs task watch NUMBER");
			format!(
				"Task {name}, manifest {}\nSubmit it by `{submit}`, or sign this call in polkadot.js \
				 (Developer, Extrinsics, Decode), and then `{watch}`:\n{call}",
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
	let again = format!("dgcs task submit {}", quoted(&args.task));
	output.resume_with(output.flags().working(&again));
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
		let question = render::question(&quoted, None, "this task");
		confirm(&question, args.yes, output).await?;
	}
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks, output };
	let submitted = async {
		desk.connect_store().await;
		let task = desk.submit(&mut open).await?;
		desk.hold(&mut open).await?;
		Ok(task)
	};
	let task = desk.close(submitted.await).await?;
	let watch = output.flags().working(&format!("dgcs task watch {task}"));
	output.note(&format!("Follow it by `{watch}`"));
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

async fn show_task(args: &ShowArgs, output: &Output) -> Result<Exit> {
	let tasks = Folders::of(&args.common)?.tasks();
	let chain = connect(&args.chain, output).await?;
	let Some(record) = known(&tasks, &chain, &args.task)? else {
		return show_foreign(&chain, args, output).await;
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
	say_task(&shown, args.all, output);
	Ok(Exit::Done)
}

/// Says all that is known of a task, or with `all` unset as much of it as fits on a screen.
fn say_task(shown: &Shown<'_>, all: bool, output: &Output) {
	let more = format!("dgcs task show {} --all", shown.record.label());
	let more = (!all).then(|| output.flags().asking(&more));
	output.result(|| render::task(shown, more.as_deref()), || render::task_object(shown));
}

/// A task that this machine does not know: what the chain says of it, and masternodes once it has ended,
/// without taking it up.
async fn show_foreign(chain: &Chain, args: &ShowArgs, output: &Output) -> Result<Exit> {
	let task = number(&args.task).unwrap_or_default();
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
	let spec = match &info {
		TaskInfo::Live(view) => {
			votes = at.votes_of_task(task).await?;
			Some(view.spec.clone())
		},
		// There is nothing to draw, and nobody keeps what it was.
		TaskInfo::Settled(settlement) if settlement.chain.height == 0 => None,
		TaskInfo::Settled(settlement) => {
			let kept = Network::at(&at).await?.spec(task).await;
			let gone = |reason| Error::VerdictsGone { task, block: settlement.when, reason };
			kept.map_err(|reason| output.warn(&gone(reason).to_string())).ok()
		},
	};
	record.content = spec.map(|spec| {
		let program = spec.manifest;
		crate::record::Content { spec, program, input_len: 0, shards: 0 }
	});
	let open = scratch.create(record)?;
	let mut ledger = Ledger::read(&open.work_chain(), task)?;
	let stage = match info {
		TaskInfo::Live(_) => look(chain, task, &open, &mut ledger).await?,
		TaskInfo::Settled(settlement) => {
			if open.record.content.is_some() {
				// How it ended is known in any case.
				if let Err(error) = look(chain, task, &open, &mut ledger).await {
					output.warn(&error.to_string());
				}
			}
			Stage::Ended(settlement)
		},
	};
	let summary = match &open.record.content {
		Some(content) => summarize(&ledger, &content.spec),
		None => crate::Summary::default(),
	};
	let record = &open.record;
	let shown = Shown { record, stage: Some(&stage), summary: &summary, votes: &votes };
	say_task(&shown, args.all, output);
	Ok(Exit::Done)
}

async fn watch(args: &WatchArgs, output: &Output) -> Result<Exit> {
	let again = format!("dgcs task watch {}", quoted(&args.task));
	output.resume_with(output.flags().working(&again));
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
			let watched = async {
				let mut open = desk.take_up(&args.task).await?;
				desk.hold(&mut open).await?;
				let ledger = desk.watch(&mut open).await?;
				Ok((open, ledger))
			};
			desk.close(watched.await).await?
		},
	};
	let Some(content) = &open.record.content else { return Ok(Exit::Done) };
	let summary = summarize(&ledger, &content.spec);
	let stage = open.record.settlement.clone().map(Stage::Ended);
	let shown =
		Shown { record: &open.record, stage: stage.as_ref(), summary: &summary, votes: &[] };
	say_task(&shown, false, output);
	if summary.agreed > 0 {
		let fetch = format!("dgcs task fetch {} --out FOLDER", open.record.label());
		output.note(&format!("Fetch the solution by `{}`", output.flags().working(&fetch)));
	}
	let all = summary.agreed == content.spec.subtasks;
	Ok(if all { Exit::Done } else { Exit::InPart })
}

async fn fetch(args: &FetchArgs, output: &Output) -> Result<Exit> {
	let out = args.out.as_deref().map(|out| out.to_string_lossy());
	let out = out.map_or_else(String::new, |out| format!(" --out {}", quoted(&out)));
	let again = format!("dgcs task fetch {}{out}", quoted(&args.task));
	output.resume_with(output.flags().working(&again));
	let folders = Folders::of(&args.common)?;
	let account = account(&args.signer, &args.chain, &folders, output)?;
	let chain = connect(&args.chain, output).await?;
	let store = open_store(&args.store, &folders).await?;
	let desk = Desk { chain, account, store, tasks: folders.tasks(), output };
	desk.close(fetch_at(&desk, args).await).await
}

async fn fetch_at(desk: &Desk<'_>, args: &FetchArgs) -> Result<Exit> {
	let mut open = desk.take_up(&args.task).await?;
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
	// What is there already needs nothing more, unless it is to be merged in another way.
	if !args.merge.is_empty() || fetched_before(&open.record, &out)?.is_none() {
		desk.learn(&mut open).await?;
	}
	if !open.record.merges() && !args.merge.is_empty() {
		return Err(CommandError::Usage(format!(
			"task {task} has no merge step: leave --merge-arg, --merge-time, --merge-memory and --merge-fuel \
			 away"
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
		close(&store, let_go(&store, &folders.tasks(), &open.record).await).await?;
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
