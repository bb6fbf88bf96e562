//! `dgcs task try`.

use std::{path::PathBuf, time::Duration};

use dgcs_primitives::{SubtaskLimits, MAX_RANGE_SIZE};
use dgcs_worker::execute::{Abandon, Done};
use serde_json::{json, Value};

use super::{
	args::TryArgs,
	exit::{CommandError, Exit, Result},
	output::Output,
	render,
};
use crate::{
	content::blocking,
	fetch::free,
	trial::{Attempt, Most, Step, Trial},
	wish::{Terms, Wish},
};

/// How long a worker should be busy with a range, so that it never waits for the next one: a lease takes
/// some blocks, in which it computes the up to four that it has.
const GOOD_RANGE: Duration = Duration::from_secs(5);

pub(super) async fn run(args: &TryArgs, output: &Output) -> Result<Exit> {
	let wish = args.wish.wish().map_err(CommandError::Usage)?;
	let absolute = |path: &PathBuf| std::path::absolute(path).map_err(crate::error::at(path));
	let out = args.out.as_ref().map(absolute).transpose()?;
	if let Some(folder) = &out {
		free(folder)?;
	}
	let abandon = Abandon::default();
	// On Ctrl-C nobody waits for the answer any more.
	let _ends = Ends(abandon.clone());
	let (asked, only, folder, said) = (wish.clone(), args.subtask, out.clone(), output.clone());
	let trial = blocking(move || {
		let threads = std::thread::available_parallelism().map_or(1, usize::from);
		let (out, abandon) = (folder.as_deref(), &abandon);
		Attempt { wish: &asked, only, out, threads, abandon }
			.run(&|step, done| tell(step, done, &said))
	})
	.await?;
	let exit = if trial.gaps.is_empty() { Exit::Done } else { Exit::InPart };
	let shown = out.map(|folder| folder.display().to_string());
	output.result(
		|| sum_up(&trial, &wish, shown.as_deref()),
		|| {
			json!({
				"event": "tried", "subtasks": trial.subtasks, "cpuMs": trial.cpu_time.as_millis(),
				"longestMs": trial.most.time.as_millis(), "mostFuel": trial.most.fuel,
				"merge": trial.merge.map(|most| {
					json!({ "cpuMs": most.time.as_millis(), "fuel": most.fuel })
				}),
				"out": shown, "bytes": trial.bytes, "gaps": render::gap_objects(&trial.gaps),
				"exit": exit as u8,
			})
		},
	);
	Ok(exit)
}

/// Ends what it was made for when it goes.
struct Ends(Abandon);

impl Drop for Ends {
	fn drop(&mut self) {
		self.0.abandon();
	}
}

fn tell(step: Step, done: &Done, output: &Output) {
	if output.is_json() {
		output.result(String::new, || object(step, done));
	} else {
		output.note(&text(step, done));
	}
}

/// How one computation went, with what its program wrote to standard error.
fn text(step: Step, done: &Done) -> String {
	let Done { subtask, outcome, fuel, cpu_time, stderr, .. } = done;
	let name = match step {
		Step::Subtask => format!("subtask {subtask}"),
		Step::Merge => "merge step".into(),
	};
	let stderr = String::from_utf8_lossy(stderr);
	let said: String = stderr.lines().map(|line| format!("\n  {line}")).collect();
	format!("{name}: {outcome}, {}, {fuel} fuel{said}", time(*cpu_time))
}

/// The same, for scripts.
fn object(step: Step, done: &Done) -> Value {
	let Done { subtask, outcome, fuel, cpu_time, stderr, .. } = done;
	json!({
		"event": "computed", "step": step, "subtask": subtask, "outcome": outcome, "fuel": fuel,
		"cpuMs": cpu_time.as_millis(), "stderr": String::from_utf8_lossy(stderr),
	})
}

fn sum_up(trial: &Trial, wish: &Wish, folder: Option<&str>) -> String {
	let used = |most: &Most, limits: &SubtaskLimits, option: &str| {
		format!(
			"{} of {} (--{option}time) and {} of {} fuel (--{option}fuel)",
			time(most.time),
			time(Duration::from_millis(limits.time_ms.into())),
			most.fuel,
			limits.fuel,
		)
	};
	let Terms { limits, merge_limits, .. } = &wish.terms;
	let merge = trial.merge.map_or(String::new(), |most| {
		let limits = merge_limits.as_ref().unwrap_or(limits);
		format!(" The merge step took {}.", used(&most, limits, "merge-"))
	});
	// All results have been merged: then the gaps are those of that step.
	let (option, tried) = match trial.merge {
		Some(_) => ("merge-", merge_limits.as_ref().unwrap_or(limits)),
		None => ("", limits),
	};
	let remedies = render::remedies(&trial.gaps, tried, option, None);
	let remedies: String = remedies.iter().map(|line| format!("\n{line}")).collect();
	let place = folder.map_or("; --out keeps it".into(), |folder| format!(" in {folder}"));
	format!(
		"{} subtasks in {} of processor time here. The longest took {}.{merge}{}\nThe solution has {} \
		 bytes{place}{}{remedies}",
		trial.subtasks,
		time(trial.cpu_time),
		used(&trial.most, limits, ""),
		range_hint(trial, wish),
		trial.bytes,
		render::gaps(&trial.gaps),
	)
}

/// How many subtasks to lease together, where other than what is asked for.
fn range_hint(trial: &Trial, wish: &Wish) -> String {
	let fit = GOOD_RANGE.as_millis() / trial.most.time.as_millis().max(1);
	let good = u32::try_from(fit).unwrap_or(MAX_RANGE_SIZE).clamp(1, MAX_RANGE_SIZE);
	let good = good.min(trial.subtasks);
	if good <= wish.terms.range_size(trial.subtasks) {
		return String::new();
	}
	let busy = time(trial.most.time * good);
	format!("\nWorkers wait for their next ranges where those are short; with --range {good} one takes up to {busy}.")
}

fn time(time: Duration) -> String {
	format!("{:.2} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
	use dgcs_content::Ending;

	use super::*;
	use crate::cli::merge::tests::wish;

	#[test]
	fn what_a_program_wrote_to_standard_error_is_told() {
		let mut done = Done {
			subtask: 3,
			ending: Ending::Exit(1),
			outcome: "exit code 1".into(),
			fuel: 5,
			cpu_time: Duration::from_millis(20),
			stderr: b"no scene\nin \xff\n".to_vec(),
			digest: Default::default(),
		};
		let told = text(Step::Subtask, &done);
		assert_eq!(told, "subtask 3: exit code 1, 0.02 s, 5 fuel\n  no scene\n  in \u{fffd}");
		assert_eq!(object(Step::Merge, &done)["stderr"], "no scene\nin \u{fffd}\n");
		done.stderr.clear();
		assert_eq!(text(Step::Merge, &done), "merge step: exit code 1, 0.02 s, 5 fuel");
	}

	#[test]
	fn a_range_that_is_short_is_told_with_one_that_is_not() {
		let hint = |subtasks, millis, asked| {
			let most = Most { time: Duration::from_millis(millis), fuel: 0 };
			let mut wish = wish();
			wish.terms.range_size = Some(asked);
			range_hint(&Trial { subtasks, most, ..Trial::default() }, &wish)
		};
		let told = hint(100, 300, 2);
		assert!(told.contains("with --range 16 one takes up to 4.80 s"), "{told}");
		assert!(hint(10, 0, 2).contains("--range 10 "), "no more than there are");
		assert!(hint(1000, 0, 2).contains("--range 64 "), "no more than may be");
		for (millis, asked) in [(300, 16), (2500, 2), (5000, 1), (60_000, 1)] {
			assert_eq!(hint(100, millis, asked), "", "{asked} of {millis} ms");
		}
	}

	#[test]
	fn what_to_do_about_gaps_is_told_of_whose_they_are() {
		let mut trial = Trial { subtasks: 3, ..Trial::default() };
		trial.gaps = vec![(1, "out of memory".into())];
		let text = sum_up(&trial, &wish(), None);
		assert!(text.contains("\nsubtask 1: out of memory\n"), "{text}");
		assert!(text.contains("--memory SIZE: it had 256 MiB"), "{text}");
		trial.merge = Some(Most::default());
		let text = sum_up(&trial, &wish(), None);
		assert!(text.contains("--merge-memory SIZE: it had 256 MiB"), "{text}");
	}

	#[test]
	fn the_merge_step_is_compared_with_its_own_limits() {
		let limits = SubtaskLimits { time_ms: 60_000, memory_mib: 256, fuel: 100 };
		let mut wish = wish();
		wish.terms.limits = limits;
		let most = |seconds, fuel| Most { time: Duration::from_secs(seconds), fuel };
		let mut trial = Trial { subtasks: 3, most: most(2, 5), ..Trial::default() };
		let text = sum_up(&trial, &wish, None);
		let subtask = "The longest took 2.00 s of 60.00 s (--time) and 5 of 100 fuel (--fuel).";
		assert!(text.contains(subtask) && !text.contains("merge"), "{text}");
		trial.merge = Some(most(70, 9));
		let text = sum_up(&trial, &wish, None);
		let merge = "The merge step took 70.00 s of 60.00 s (--merge-time) and 9 of 100 fuel \
		             (--merge-fuel).";
		assert!(text.contains(subtask) && text.contains(merge), "as much as a subtask: {text}");
		wish.terms.merge_limits = Some(SubtaskLimits { time_ms: 120_000, fuel: 1000, ..limits });
		let text = sum_up(&trial, &wish, None);
		let merge = "The merge step took 70.00 s of 120.00 s (--merge-time) and 9 of 1000 fuel \
		             (--merge-fuel).";
		assert!(text.contains(subtask) && text.contains(merge), "{text}");
	}
}
