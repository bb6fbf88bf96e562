//! Tables and objects: pure, from what is known to what is shown.

use std::path::Path;

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use dgcs_client::{AccountId, Balance, RangeVote, SeatState};
use dgcs_content::{content_id::display, Ending};
use dgcs_primitives::{
	api::{TaskState, TaskView},
	RangeIndex, Settlement, SubtaskLimits, TaskEnd, TaskSpec,
};
use dgcs_worker::execute::MAX_OUTPUT;
use serde_json::{json, Value};

use super::flags::{quoted, Flags};
use crate::{
	money::show,
	reason::Reason,
	record::{Record, Submission},
	summary::{Summary, VoteSummary},
	Quote, Stage,
};

/// How many ranges are drawn unless all are asked for.
const MOST_RANGES: usize = 40;

/// A line below the header, and no other.
const STYLE: TableStyle =
	TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

fn table(header: &[&str]) -> Table {
	let mut table = Table::new();
	table.load_style(STYLE).set_header(header.iter().copied());
	table
}

/// The columns from `from` on hold numbers.
fn numbers(table: &mut Table, from: usize) {
	for column in table.column_iter_mut().skip(from) {
		column.set_cell_alignment(CellAlignment::Right);
	}
}

/// An address in as much of it as tells accounts apart.
pub(super) fn short(account: &AccountId) -> String {
	let address = account.to_string();
	match (address.get(..6), address.get(address.len().saturating_sub(4)..)) {
		(Some(start), Some(end)) => format!("{start}…{end}"),
		_ => address,
	}
}

/// How a task ended, in words.
pub(super) fn end(end: TaskEnd) -> &'static str {
	match end {
		TaskEnd::Completed => "completed",
		TaskEnd::Cancelled => "cancelled",
		TaskEnd::Expired => "expired: no worker was found in time",
		TaskEnd::DeadlinePassed => "its time was over",
	}
}

/// How a task ended, on one line.
pub(super) fn ended(settlement: &Settlement<AccountId, Balance>) -> String {
	let sums = &settlement.sums;
	format!(
		"Ended in block #{}, {}: {} agreed, {} failed; {} to workers, {} to masternodes, {} came back",
		settlement.when,
		end(settlement.end),
		settlement.chain.agreed,
		settlement.chain.failed,
		show(sums.paid),
		show(sums.masternodes),
		show(sums.refunded)
	)
}

/// How a task ended, for scripts.
pub(super) fn settlement(settlement: &Settlement<AccountId, Balance>) -> Value {
	let Settlement { when, end, chain, sums, .. } = settlement;
	json!({
		"when": when, "end": end, "agreed": chain.agreed, "failed": chain.failed,
		"height": chain.height, "solutionRoot": chain.solution_root,
		"receiptsRoot": chain.receipts_root, "paid": sums.paid.to_string(),
		"masternodes": sums.masternodes.to_string(), "refunded": sums.refunded.to_string(),
	})
}

/// Subtasks without a result, or with one of a program that failed, for scripts.
pub(super) fn gap_objects(gaps: &[(u32, Reason)]) -> Vec<Value> {
	let object = |(subtask, reason): &(u32, Reason)| {
		let reason = reason.to_string();
		json!({"subtask": subtask, "reason": reason})
	};
	gaps.iter().map(object).collect()
}

/// What a solution lacks: neighbours with the same reason on one line, and no more than twenty lines.
pub(super) fn gaps(gaps: &[(u32, Reason)]) -> String {
	const MOST: usize = 20;
	let mut runs: Vec<(u32, u32, &Reason)> = Vec::new();
	for (subtask, reason) in gaps {
		match runs.last_mut() {
			Some((_, last, same)) if *same == reason && last.checked_add(1) == Some(*subtask) => {
				*last = *subtask;
			},
			_ => runs.push((*subtask, *subtask, reason)),
		}
	}
	let mut text = String::new();
	for (first, last, reason) in runs.iter().take(MOST) {
		text += &match first == last {
			true => format!("\nsubtask {first}: {reason}"),
			false => format!("\nsubtasks {first}–{last}: {reason}"),
		};
	}
	match runs.len().saturating_sub(MOST) {
		0 => text,
		more => format!("{text}\n… and {more} more"),
	}
}

/// What a subtask or merge step had too little of.
struct More {
	what: &'static str,
	/// The option that gives more of it, without what says whose it is.
	option: &'static str,
	/// How much it had.
	had: String,
}

/// What one that ended so had too little of, if that was it.
fn more(reason: &Reason, limits: &SubtaskLimits) -> Option<More> {
	let ended = |ending: Ending| *reason == Reason::Ended(ending.to_string());
	if ended(Ending::OutOfMemory) {
		let had = format!("{} MiB", limits.memory_mib);
		return Some(More { what: "memory", option: "memory SIZE", had });
	}
	let had = format!("{} s and {} units of fuel", seconds(limits.time_ms), limits.fuel);
	let time = More { what: "time, and fuel to suit it", option: "time TIME", had };
	(ended(Ending::OutOfFuel) || ended(Ending::TimedOut)).then_some(time)
}

/// What can be done about gaps, a line for each kind of them. `option` is how options of `limits` begin:
/// those of the merge step have a name of their own. `again` looks for results once more that nobody had.
/// `None`: all was computed on this machine.
pub(super) fn remedies(
	gaps: &[(u32, Reason)],
	limits: &SubtaskLimits,
	option: &str,
	again: Option<&str>,
) -> Vec<String> {
	let mut seen = Vec::new();
	let mut lines = Vec::new();
	for (subtask, reason) in gaps {
		let kind = reason.kind();
		if seen.contains(&kind) {
			continue;
		}
		seen.push(kind);
		let ended = |ending: Ending| *reason == Reason::Ended(ending.to_string());
		let advice = if let Some(More { what, option: more, had }) = more(reason, limits) {
			format!("give it more {what}, with --{option}{more}: it had {had}")
		} else if ended(Ending::TooMuchOutput) {
			let most = MAX_OUTPUT.div_ceil(1 << 20);
			match option {
				"" => {
					format!("a subtask may write at most {most} MiB: cut smaller pieces (--split)")
				},
				_ => format!("a merge step may write at most {most} MiB, as a subtask may"),
			}
		} else {
			match (reason, again) {
				(Reason::Undecided, _) => {
					"no majority of its workers found the same result, or it was not computed in time. In a \
					 new task, more workers (--max-replicas), more time (--deadline) or a higher reward may \
					 help"
						.into()
				},
				(Reason::Unreadable(_), _) => {
					"that will not change. In a new task other workers compute it: more of them \
					 (--replicas), or proven ones (--proven)"
						.into()
				},
				(Reason::Missing(_), Some(again)) => {
					format!("`{again}` looks for it again. What is there stays")
				},
				(Reason::Missing(_), None) => continue,
				(Reason::Ended(_), Some(_)) => format!(
					"see why on this machine, for nothing: `dgcs task try` with the program, the input and \
					 the options of the task, and --subtask {subtask}"
				),
				(Reason::Ended(_), None) if option.is_empty() => {
					format!("--subtask {subtask} computes that one alone")
				},
				(Reason::Ended(_), None) => {
					"--merge-arg says what the program is told when it merges".into()
				},
			}
		};
		lines.push(format!("{kind}: {advice}"));
	}
	lines
}

/// A price, line by line.
pub(super) fn quote(quote: &Quote, merge: Option<&Quote>, bytes: u64) -> String {
	let spec = &quote.spec;
	let mut table = table(&["", "DGC"]);
	let amount = |amount: Balance| show(amount).trim_end_matches(" DGC").to_owned();
	let each =
		format!("{} subtasks × {} replicas × {}", spec.subtasks, spec.replicas, show(spec.reward));
	table.add_row([each, amount(quote.price.rewards)]);
	let extra = spec.max_replicas.saturating_sub(spec.replicas);
	let reserve = format!("for up to {extra} more replicas; comes back if all agree");
	table.add_row([reserve, amount(quote.price.reserve)]);
	table.add_row(["masternodes' share".to_owned(), amount(quote.price.masternodes)]);
	let held = "held now; what is not spent comes back".to_owned();
	table.add_row([held, amount(quote.price.total())]);
	table.add_row(["fee of the transaction, paid now".to_owned(), amount(quote.fee)]);
	let mut total = quote.needed();
	if let Some(merge) = merge {
		let limits = merge.spec.limits;
		let (memory, time) = (limits.memory_mib, seconds(limits.time_ms));
		let step =
			format!("held later, for the merge step: one subtask of {memory} MiB and {time} s");
		table.add_row([step, amount(merge.price.total())]);
		table.add_row(["fee of its transaction".to_owned(), amount(merge.fee)]);
		total = total.saturating_add(merge.needed());
	}
	table.add_row(["all together, at most".to_owned(), amount(total)]);
	numbers(&mut table, 1);
	let input = if bytes > 0 { format!("{bytes} bytes in ") } else { String::new() };
	format!("{input}{} subtasks, leased {} at a time\n\n{table}\n", spec.subtasks, spec.range_size)
}

fn seconds(milliseconds: u32) -> f64 {
	f64::from(milliseconds) / 1000.0
}

/// What an owner is asked to agree to. `what` says what it pays for.
pub(super) fn question(quote: &Quote, merge: Option<&Quote>, what: &str) -> String {
	let later = merge.map_or_else(String::new, |merge| {
		let (held, fee) = (show(merge.price.total()), show(merge.fee));
		format!("; and later {held} and a fee of {fee} for the merge step")
	});
	let (held, fee) = (show(quote.price.total()), show(quote.fee));
	format!("Hold {held} for {what}, and pay a fee of {fee}{later}?")
}

/// A price, for scripts.
pub(super) fn quote_object(quote: &Quote, merge: Option<&Quote>, bytes: u64) -> Value {
	let total = merge.map_or(0, Quote::needed).saturating_add(quote.needed());
	json!({
		"event": "estimate",
		"bytes": bytes,
		"subtasks": quote.spec.subtasks,
		"rangeSize": quote.spec.range_size,
		"rewards": quote.price.rewards.to_string(),
		"reserve": quote.price.reserve.to_string(),
		"masternodes": quote.price.masternodes.to_string(),
		"fee": quote.fee.to_string(),
		"held": quote.price.total().to_string(),
		"merge": merge.map(|merge| merge.needed().to_string()),
		"mergeHeld": merge.map(|merge| merge.price.total().to_string()),
		"mergeFee": merge.map(|merge| merge.fee.to_string()),
		"mergeLimits": merge.map(|merge| merge.spec.limits),
		"total": total.to_string(),
		"spendable": quote.funds.spendable.to_string(),
		"replicas": quote.spec.replicas,
		"operators": quote.workforce.count_operators(),
		"warnings": quote.warnings_with(merge),
	})
}

/// What to type to get a task's solution.
pub(super) fn fetch_line(task: &Record, out: &Path, flags: &Flags) -> String {
	let out = out.to_string_lossy();
	flags.working(&format!("dgcs task fetch {} --out {}", task.label(), quoted(&out)))
}

/// What to do when `step`, which was to merge the results of `task` into `out`, has ended without a result
/// of its own. What it was to merge is in the file `results`.
pub(super) fn unmerged(
	task: &Record,
	step: &Record,
	results: &Path,
	out: &Path,
	flags: &Flags,
) -> String {
	let gap = step.fetched.as_ref().and_then(|fetched| fetched.gaps.first());
	let reason = gap.map_or(&Reason::Undecided, |(_, reason)| reason);
	let settlement = step.settlement.as_ref();
	let early = match settlement.map(|settlement| settlement.end) {
		None | Some(TaskEnd::Completed) => String::new(),
		Some(other) => format!(" ({})", end(other)),
	};
	let limits = step.content.as_ref().map(|content| content.spec.limits);
	let had = limits.map_or_else(String::new, |limits| {
		let (memory, time) = (limits.memory_mib, seconds(limits.time_ms));
		format!("It had {memory} MiB, {time} s and {} units of fuel. ", limits.fuel)
	});
	let command = fetch_line(task, out, flags);
	let advice = if settlement.is_some_and(|settlement| settlement.sums.paid == 0) {
		format!(
			"Nobody was paid for it: `{command}` submits it again, with other limits by --merge-memory and \
			 --merge-time"
		)
	} else if let Some(More { what, option, .. }) = limits.and_then(|limits| more(reason, &limits))
	{
		format!("`{command} --merge-{option}` merges them with more {what}")
	} else {
		format!(
			"`{command}` merges them again when --merge-arg tells the program something else, or \
			 --merge-memory or --merge-time gives it more"
		)
	};
	format!(
		"the merge step, task {}, ended without a result: {reason}{early}. The results of task {} are not \
		 lost: they are paid, and are in {}. {had}{advice}. That asks for the price of the one step first, \
		 and computes no other subtask again",
		step.label(),
		task.label(),
		results.display()
	)
}

/// How far a task is, as this machine knows it.
pub(super) fn stage(record: &Record) -> String {
	if let Some(fetched) = record.fetched.as_ref().filter(|fetched| fetched.done) {
		let part = if fetched.lacks() { " in part" } else { "" };
		return format!("fetched{part} to {}", fetched.folder.display());
	}
	if let Some(settlement) = &record.settlement {
		return end(settlement.end).into();
	}
	match record.submission {
		Submission::Done { .. } if record.held => "submitted, held by masternodes".into(),
		Submission::Done { .. } => "submitted".into(),
		Submission::Sent { .. } => "sent".into(),
		Submission::None if record.content.is_some() => "prepared".into(),
		Submission::None => "being prepared".into(),
	}
}

/// All tasks of this machine.
pub(super) fn list(records: &[Record]) -> String {
	if records.is_empty() {
		return "There is no task on this machine yet: see `dgcs task run --help`".into();
	}
	let mut table = table(&["task", "name", "program", "subtasks", "state"]);
	for record in records {
		let program = record.wish.as_ref().and_then(|wish| wish.program.file_name());
		let subtasks = record.content.as_ref().map(|content| content.spec.subtasks.to_string());
		table.add_row([
			record.task().map_or("–".into(), |task| task.to_string()),
			record.name.clone(),
			program.map_or("–".into(), |name| name.to_string_lossy().into_owned()),
			subtasks.unwrap_or_else(|| "–".into()),
			stage(record),
		]);
	}
	table.to_string()
}

/// A task of this machine, for scripts.
pub(super) fn record_object(record: &Record) -> Value {
	json!({
		"name": record.name,
		"task": record.task(),
		"genesis": record.genesis,
		"owner": record.owner,
		"program": record.wish.as_ref().map(|wish| &wish.program),
		"input": record.wish.as_ref().map(|wish| &wish.input),
		"subtasks": record.content.as_ref().map(|content| content.spec.subtasks),
		"manifest": record.content.as_ref().map(|content| display(&content.spec.manifest)),
		"held": record.held,
		"state": stage(record),
		"settlement": record.settlement.as_ref().map(settlement),
		"out": record.fetched.as_ref().map(|fetched| &fetched.folder),
		"merge": record.merge,
	})
}

/// All that is known of a task.
#[derive(Debug)]
pub(super) struct Shown<'a> {
	pub record: &'a Record,
	pub stage: Option<&'a Stage>,
	pub summary: &'a Summary,
	/// The votes that are going on.
	pub votes: &'a [(RangeIndex, RangeVote)],
}

/// Draws who computed what, who agreed, who was paid. `more` is what draws every range: it is said where not
/// all are drawn. `None`: all are.
pub(super) fn task(shown: &Shown<'_>, more: Option<&str>) -> String {
	let Shown { record, stage: found, summary, votes } = *shown;
	let mut text = format!("Task {} of {}\n", record.label(), record.owner);
	match found {
		Some(Stage::Live(view)) => text += &live(view),
		Some(Stage::Ended(settlement)) => text = format!("{text}{}\n", ended(settlement)),
		None => text = format!("{text}{}\n", stage(record)),
	}
	let Some(content) = &record.content else { return text };
	let spec = &content.spec;
	text += &format!("Manifest {}\n", display(&spec.manifest));
	if summary.votes.is_empty() && votes.is_empty() {
		return text + "No verdict yet";
	}
	let names = Names::new(summary, votes);
	text += &format!("\n{}\n", ranges(summary, votes, spec, &names, more));
	text +=
		"✓ agreed   ✗ did not   ~ partly   … computes   ■ committed   □ revealed   ? withheld\n";
	text + &format!("\n{}", workers(summary, &names))
}

fn live(view: &TaskView<AccountId, Balance>) -> String {
	let state = match view.state {
		TaskState::Queued => "Waits for its first worker",
		TaskState::Running => "Is being computed",
		TaskState::Cancelling => "Is cancelled; what was begun is decided",
	};
	format!(
		"{state}, until block #{}: {} open, {} agreed, {} failed; {} held, {} for a result\n",
		view.due,
		view.open_subtasks,
		view.agreed,
		view.failed,
		show(view.held),
		show(view.reward)
	)
}

/// Short names for workers, in the order in which they appear.
struct Names(Vec<AccountId>);

impl Names {
	fn new(summary: &Summary, votes: &[(RangeIndex, RangeVote)]) -> Self {
		let mut names = Names(Vec::new());
		let decided = summary.votes.iter().filter_map(|vote| vote.workers.as_ref());
		let decided = decided.flatten().map(|(worker, ..)| worker);
		let voting = votes.iter().flat_map(|(_, vote)| &vote.seats).map(|seat| &seat.worker);
		let mut known = std::collections::BTreeSet::new();
		for worker in decided.chain(voting) {
			if known.insert(worker) {
				names.0.push(worker.clone());
			}
		}
		names
	}

	fn of(&self, worker: &AccountId) -> String {
		let place = self.0.iter().position(|other| other == worker).unwrap_or_default();
		Self::name(place)
	}

	/// A, B, … Z, A1, B1, …
	fn name(place: usize) -> String {
		let letter = char::from(b'A' + (place % 26) as u8);
		match place / 26 {
			0 => letter.to_string(),
			round => format!("{letter}{round}"),
		}
	}
}

fn ranges<B>(
	summary: &Summary,
	votes: &[(RangeIndex, RangeVote)],
	spec: &TaskSpec<B>,
	names: &Names,
	more: Option<&str>,
) -> String {
	let mut table = table(&["range", "subtasks", "round", "block", "verdict", "workers"]);
	let most = more.map_or(usize::MAX, |_| MOST_RANGES);
	let span = |first: u32, count: u32| match count {
		0 | 1 => first.to_string(),
		_ => format!("{first}–{}", first + count - 1),
	};
	let verdict = |vote: &VoteSummary| match (vote.agreed, vote.failed) {
		(agreed, 0) => format!("{agreed} agreed"),
		(0, failed) => format!("{failed} failed"),
		(agreed, failed) => format!("{agreed} agreed, {failed} failed"),
	};
	for vote in summary.votes.iter().take(most) {
		let workers = vote.workers.iter().flatten();
		let workers = workers.filter_map(|(worker, agreed, dissented, _)| {
			let mark = match (agreed, dissented) {
				// Paid for earlier votes alone, under PPLNS; or for what failed, on which nobody is wrong.
				(0, 0) => return None,
				(_, 0) => "✓",
				(0, _) => "✗",
				_ => "~",
			};
			Some(format!("{}{mark}", names.of(worker)))
		});
		let workers: Vec<_> = workers.collect();
		let unknown = vote.workers.is_none();
		table.add_row([
			vote.range.to_string(),
			span(vote.first, vote.subtasks),
			vote.round.to_string(),
			format!("#{}", vote.when),
			verdict(vote),
			if unknown { "not read in time".into() } else { workers.join(" ") },
		]);
	}
	for (range, vote) in votes.iter().take(most) {
		let seats = vote.seats.iter().map(|seat| {
			let mark = match seat.state {
				SeatState::Leased { .. } => "…",
				SeatState::Committed(_) => "■",
				SeatState::Revealed(_) => "□",
				SeatState::Withheld => "?",
			};
			format!("{}{mark}", names.of(&seat.worker))
		});
		let seats: Vec<_> = seats.collect();
		table.add_row([
			range.to_string(),
			span(spec.range_start(*range), spec.range_len(*range)),
			vote.round.to_string(),
			"–".into(),
			"open".into(),
			seats.join(" "),
		]);
	}
	let hidden = summary.votes.len().saturating_sub(most) + votes.len().saturating_sub(most);
	match more {
		Some(command) if hidden > 0 => format!("{table}\n… and {hidden} more: `{command}`"),
		_ => table.to_string(),
	}
}

fn workers(summary: &Summary, names: &Names) -> String {
	let mut table = table(&["", "worker", "ranges", "agreed", "did not", "paid"]);
	for (place, account) in names.0.iter().enumerate() {
		let worker = summary.workers.get(account).cloned().unwrap_or_default();
		table.add_row([
			Names::name(place),
			account.to_string(),
			worker.ranges.to_string(),
			worker.agreed.to_string(),
			worker.dissented.to_string(),
			show(worker.paid),
		]);
	}
	numbers(&mut table, 2);
	let unknown = match summary.unknown {
		0 => String::new(),
		votes => format!("\n{votes} votes were not read in time, and are not in these sums"),
	};
	format!("{table}{unknown}")
}

/// All that is known of a task, for scripts.
pub(super) fn task_object(shown: &Shown<'_>) -> Value {
	let Shown { record, stage, summary, votes } = *shown;
	let worker = |(account, worker): (&AccountId, &crate::WorkerSummary)| {
		json!({
			"worker": account, "ranges": worker.ranges, "agreed": worker.agreed,
			"dissented": worker.dissented, "paid": worker.paid.to_string(),
		})
	};
	let receipt = |(account, agreed, dissented, paid): &(AccountId, u32, u32, Balance)| {
		json!({
			"worker": account, "agreed": agreed, "dissented": dissented, "paid": paid.to_string(),
		})
	};
	let vote = |vote: &VoteSummary| {
		let receipts = vote.workers.as_ref();
		let receipts = receipts.map(|workers| workers.iter().map(receipt).collect::<Vec<_>>());
		json!({
			"range": vote.range, "first": vote.first, "subtasks": vote.subtasks,
			"round": vote.round, "when": vote.when, "agreed": vote.agreed, "failed": vote.failed,
			"receipts": receipts,
		})
	};
	let open = |(range, vote): &(RangeIndex, RangeVote)| {
		let seats = vote.seats.iter().map(|seat| {
			let state = match seat.state {
				SeatState::Leased { .. } => "leased",
				SeatState::Committed(_) => "committed",
				SeatState::Revealed(_) => "revealed",
				SeatState::Withheld => "withheld",
			};
			json!({"worker": seat.worker, "round": seat.round, "state": state})
		});
		json!({"range": range, "round": vote.round, "seats": seats.collect::<Vec<_>>()})
	};
	let mut object = record_object(record);
	object["workers"] = summary.workers.iter().map(worker).collect();
	object["verdicts"] = summary.votes.iter().map(vote).collect();
	object["votes"] = votes.iter().map(open).collect();
	object["agreed"] = summary.agreed.into();
	object["failed"] = summary.failed.into();
	match stage {
		Some(Stage::Live(view)) => {
			object["live"] = json!({
				"state": view.state, "due": view.due, "reward": view.reward.to_string(),
				"held": view.held.to_string(), "openSubtasks": view.open_subtasks,
				"begunRanges": view.begun_ranges,
			});
		},
		Some(Stage::Ended(end)) => object["settlement"] = settlement(end),
		None => {},
	}
	object
}

#[cfg(test)]
mod tests {
	use dgcs_client::{Phase, Seat};
	use dgcs_content::TaskNonce;
	use dgcs_primitives::{RangeTerms, Round, Sums, TaskId};
	use sp_core::H256;

	use super::*;
	use crate::{
		ledger::{
			tests::{entries, TASK},
			Ledger,
		},
		money::DGC,
		record::{Content, Fetched},
		summarize,
		survey::Survey,
		wish::{Outline, Terms},
	};

	fn account(n: u8) -> AccountId {
		AccountId::new([n; 32])
	}

	fn record() -> Record {
		let mut record = Record::new(H256::zero(), account(9), TaskNonce([7; 32]));
		let terms = Terms { range_size: Some(1), ..Terms::usual() };
		let survey = Survey { cut: dgcs_content::Cut::Files, subtasks: 9, bytes: 0 };
		let spec = terms.spec(&Outline::of(&survey, &terms), 3000);
		let program = spec.manifest;
		record.content = Some(Content { spec, program, input_len: 5, shards: 1 });
		record.submission = Submission::Done { task: TASK, block: 3 };
		record
	}

	fn summary() -> Summary {
		let folder = tempfile::tempdir().expect("a folder");
		let mut ledger = Ledger::read(&folder.path().join("ledger"), TASK).expect("nothing there");
		ledger.append(entries(5)).expect("linked");
		summarize(&ledger, &record().content.expect("just made").spec)
	}

	fn settled() -> Settlement<AccountId, Balance> {
		let sums = Sums { paid: 1_500_000_000_000, masternodes: 1, refunded: 2_000_000_000_000 };
		Settlement {
			owner: account(9),
			when: 77,
			end: TaskEnd::Completed,
			chain: Default::default(),
			sums,
		}
	}

	#[test]
	fn a_price_says_what_is_held_now_and_what_later() {
		let task = crate::quote::tests::quote(0, 5, 9, DGC / 1000);
		let merge = crate::quote::tests::quote(0, 5, 1, DGC / 500);
		let text = quote(&task, Some(&merge), 0);
		for (row, amount) in [
			("9 subtasks × 3 replicas", "0.027"),
			("for up to 2 more", "0.018"),
			("masternodes' share", "0.00225"),
			("held now", "0.04725"),
			("fee of the transaction", "0.001"),
			("held later, for the merge step: one subtask of 256 MiB and 60 s", "0.00525"),
			("fee of its transaction", "0.002"),
			("all together", "0.0555"),
		] {
			let line = text.lines().find(|line| line.trim_start().starts_with(row)).expect(row);
			assert!(line.trim_end().ends_with(&format!(" {amount}")), "{line}");
		}
		let object = quote_object(&task, Some(&merge), 0);
		for (field, amount) in [
			("held", "47250000000"),
			("fee", "1000000000"),
			("merge", "7250000000"),
			("mergeHeld", "5250000000"),
			("mergeFee", "2000000000"),
			("total", "55500000000"),
		] {
			assert_eq!(object[field], amount, "{field}");
		}
		assert_eq!(
			question(&task, Some(&merge), "this task"),
			"Hold 0.04725 DGC for this task, and pay a fee of 0.001 DGC; and later 0.00525 DGC and a fee of \
			 0.002 DGC for the merge step?"
		);

		let text = quote(&task, None, 0);
		assert!(!text.contains("later") && text.contains("0.04825"), "{text}");
		assert_eq!(quote_object(&task, None, 0)["mergeHeld"], Value::Null);
		let asked = question(&task, None, "the merge step");
		assert_eq!(asked, "Hold 0.04725 DGC for the merge step, and pay a fee of 0.001 DGC?");
	}

	#[test]
	fn a_folder_with_a_space_can_be_typed() {
		let line = fetch_line(&record(), Path::new("my films/it's"), &Flags::default());
		assert_eq!(line, "dgcs task fetch 5 --out \"my films/it's\"");
	}

	#[test]
	fn show_draws_who_did_what() {
		let seat = |n, state| Seat {
			worker: account(n),
			operator: account(n),
			round: Round(0),
			state,
			agreed: 0,
			dissented: 0,
		};
		let vote = RangeVote {
			terms: RangeTerms { len: 1, replicas: 3, max_replicas: 5 },
			round: Round(0),
			open: 1,
			phase: Phase::Commit,
			due: 9,
			seats: vec![
				seat(1, SeatState::Leased { since: 1, until: 9 }),
				seat(4, SeatState::Committed(Default::default())),
			]
			.try_into()
			.expect("two are not too many"),
		};
		let (record, summary, stage) = (record(), summary(), Stage::Ended(settled()));
		let votes = [(RangeIndex(6), vote)];
		let shown =
			Shown { record: &record, stage: Some(&stage), summary: &summary, votes: &votes };
		let text = task(&shown, Some("all"));
		let row = |start: &str| {
			let mut lines = text.lines().map(str::trim);
			lines.find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"))
		};
		assert!(text.starts_with("Task 5 of 5"), "{text}");
		assert!(row("Ended").contains("completed") && row("Ended").contains("1.5 DGC to workers"));
		let first = row("0 ");
		assert!(first.contains("#100") && first.contains("A✓ B✓ C✗"), "{first}");
		assert!(row("2 ").contains("1 failed"), "{text}");
		assert!(row("3 ").contains("not read in time"), "{text}");
		assert!(row("6 ").contains("A… D■"), "{text}");
		assert!(row("A ").contains(&account(1).to_string()) && row("A ").contains("DGC"), "{text}");
		assert!(row("1 votes were").contains("not in these sums"), "{text}");

		let object = task_object(&shown);
		assert_eq!(object["task"], 5);
		assert_eq!(object["verdicts"][0]["receipts"][2]["dissented"], 1);
		assert_eq!(object["verdicts"][3]["receipts"], Value::Null);
		assert_eq!(object["votes"][0]["seats"][1]["state"], "committed");
		assert_eq!(object["settlement"]["refunded"], "2000000000000");
	}

	#[test]
	fn many_ranges_are_cut_short() {
		let mut summary = summary();
		let one = summary.votes[0].clone();
		summary.votes = vec![one; 100];
		let record = record();
		let shown = Shown { record: &record, stage: None, summary: &summary, votes: &[] };
		let cut = task(&shown, Some("dgcs task show 5 --all"));
		assert!(cut.contains("and 60 more: `dgcs task show 5 --all`"), "{cut}");
		let whole = task(&shown, None);
		assert!(!whole.contains("more") && whole.lines().count() > 100, "{whole}");
	}

	#[test]
	fn a_task_without_verdicts_says_so() {
		let (record, summary) = (record(), Summary::default());
		let shown = Shown { record: &record, stage: None, summary: &summary, votes: &[] };
		assert!(task(&shown, Some("all")).ends_with("No verdict yet"));
	}

	#[test]
	fn the_list_says_how_far_each_task_is() {
		assert!(list(&[]).contains("dgcs task run"));
		let mut prepared = record();
		prepared.submission = Submission::None;
		let mut sent = prepared.clone();
		sent.submission = Submission::Sent { since: 1 };
		let mut done = record();
		done.settlement = Some(settled());
		let begun = Record::new(H256::zero(), account(9), TaskNonce([8; 32]));
		let text = list(&[begun, prepared, sent, record(), done]);
		for state in ["being prepared", "prepared", "sent", "submitted", "completed"] {
			assert!(text.contains(state), "{state}: {text}");
		}
		assert_eq!(record_object(&record())["task"], TaskId(5).0);
	}

	#[test]
	fn a_failed_merge_step_says_where_the_results_are_and_how_to_go_on() {
		let (task, results, out) = (record(), Path::new("data/results/result"), Path::new("out"));
		let mut step = record();
		step.submission = Submission::Done { task: TaskId(8), block: 5 };
		let mut said = |reason: &str, end, paid| {
			step.fetched = Some(Fetched {
				next: 1,
				gaps: vec![(0, reason.into())],
				done: true,
				..Fetched::begun("out".into())
			});
			let sums = Sums { paid, masternodes: 0, refunded: 0 };
			step.settlement = Some(Settlement { end, sums, ..settled() });
			assert!(stage(&step).contains("in part"), "{}", stage(&step));
			let text = unmerged(&task, &step, results, out, &Flags::default());
			for part in [
				"the merge step, task 8, ended without a result",
				reason,
				"results of task 5 are not lost",
				"are in data/results/result.",
				"256 MiB, 60 s and 30000000000 units of fuel",
				"`dgcs task fetch 5 --out out",
			] {
				assert!(text.contains(part), "{part}: {text}");
			}
			text
		};
		let memory = said("out of memory", TaskEnd::Completed, 3);
		assert!(memory.contains("--out out --merge-memory SIZE`"), "{memory}");
		for reason in ["out of fuel", "timed out"] {
			let time = said(reason, TaskEnd::Completed, 3);
			assert!(time.contains("--out out --merge-time TIME`"), "{time}");
		}
		let other = said("exit code 1", TaskEnd::Completed, 3);
		assert!(other.contains("--merge-arg") && !other.contains("Nobody was paid"), "{other}");
		let expired = said("no verdict", TaskEnd::Expired, 0);
		assert!(expired.contains("(expired") && expired.contains("Nobody was paid"), "{expired}");
	}

	#[test]
	fn gaps_are_told_together() {
		let gap = |subtask, reason: &str| (subtask, Reason::from(reason));
		let few = [gap(1, "trap"), gap(3, "trap"), gap(4, "trap"), gap(5, "no verdict")];
		let text = "\nsubtask 1: trap\nsubtasks 3–4: trap\nsubtask 5: no verdict";
		assert_eq!(gaps(&few), text);
		let many: Vec<_> = (0..50).map(|subtask| gap(2 * subtask, "trap")).collect();
		assert!(gaps(&many).ends_with("\nsubtask 38: trap\n… and 30 more"), "{}", gaps(&many));
		assert_eq!(gaps(&[]), "");
	}

	#[test]
	fn what_to_do_about_gaps_is_told_once_for_each_kind() {
		let gap = |subtask, reason: &str| (subtask, Reason::from(reason));
		let missing = |subtask, block: &str| (subtask, Reason::Missing(block.into()));
		let all = [
			gap(1, "out of memory"),
			gap(2, "out of fuel"),
			gap(3, "timed out"),
			gap(4, "too much output"),
			gap(5, "trap"),
			gap(6, "exit code 1"),
			gap(7, "exit code -3"),
			gap(8, "no verdict"),
			missing(9, "a"),
			missing(10, "b"),
			(11, Reason::Unreadable("why".into())),
			gap(12, "trap"),
		];
		let limits = SubtaskLimits { time_ms: 60_000, memory_mib: 256, fuel: 30_000_000_000 };
		let lines = remedies(&all, &limits, "", Some("dgcs task fetch 7 --out FOLDER"));
		let expected: [(&str, &[&str]); 9] = [
			("out of memory: ", &["--memory SIZE", "256 MiB"]),
			("out of fuel: ", &["--time TIME", "60 s and 30000000000 units"]),
			("timed out: ", &["--time TIME", "60 s"]),
			("too much output: ", &["64 MiB", "smaller pieces"]),
			("trap: ", &["`dgcs task try`", "--subtask 5"]),
			("exit code: ", &["`dgcs task try`", "--subtask 6"]),
			("no verdict: ", &["--max-replicas", "--deadline"]),
			("nobody has its result: ", &["`dgcs task fetch 7 --out FOLDER`"]),
			("what its workers agreed on is no result: ", &["--proven"]),
		];
		assert_eq!(lines.len(), expected.len(), "{lines:?}");
		for (line, (start, parts)) in lines.iter().zip(expected) {
			assert!(line.starts_with(start), "{line}");
			assert!(parts.iter().all(|part| line.contains(part)), "{line}");
		}
		// At home, and of a merge step.
		assert!(remedies(&all[4..5], &limits, "", None)[0].contains("--subtask 5 computes"));
		let merge = |gap: usize| remedies(&all[gap..=gap], &limits, "merge-", None).concat();
		assert!(merge(0).contains("--merge-memory SIZE"), "{}", merge(0));
		assert!(merge(2).contains("--merge-time TIME"), "{}", merge(2));
		assert!(merge(4).contains("--merge-arg"), "{}", merge(4));
		assert!(remedies(&[], &limits, "", None).is_empty());
	}

	#[test]
	fn workers_have_short_names() {
		assert_eq!(Names::name(0), "A");
		assert_eq!(Names::name(25), "Z");
		assert_eq!(Names::name(26), "A1");
		assert_eq!(short(&account(1)).chars().count(), 11);
	}
}
