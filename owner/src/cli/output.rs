//! What a command says: tables and lines for people, one JSON object a line for scripts. Results go to
//! standard output, all else to standard error.

use std::{
	io::{IsTerminal, Write},
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};

use dgcs_client::{AccountId, Balance, Held};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{json, Value};

use super::{args::Format, flags::Flags, render};
use crate::{money::show, Progress, Tell};

/// Where a command's words go. A clone is the same.
#[derive(Clone, Debug)]
pub(super) struct Output {
	format: Format,
	/// What commands that are named here need to be typed with.
	flags: Arc<Flags>,
	screen: Arc<Mutex<Screen>>,
}

/// What is on the screen at the moment.
#[derive(Debug, Default)]
struct Screen {
	bar: Option<(&'static str, ProgressBar)>,
	/// What was said last, so that it is not said again.
	last: String,
	/// How to go on if the command ends before its work does.
	resume: String,
}

impl Output {
	pub fn new(format: Format) -> Self {
		Output { format, flags: Arc::default(), screen: Arc::default() }
	}

	/// The same, for a command with these flags.
	pub fn with(self, flags: Flags) -> Self {
		Output { flags: Arc::new(flags), ..self }
	}

	/// What commands that are named here need to be typed with.
	pub fn flags(&self) -> &Flags {
		&self.flags
	}

	pub fn is_json(&self) -> bool {
		self.format == Format::Json
	}

	/// Whether somebody is there to answer.
	pub fn is_interactive(&self) -> bool {
		!self.is_json() && std::io::stdin().is_terminal()
	}

	fn screen(&self) -> std::sync::MutexGuard<'_, Screen> {
		self.screen.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// A result: the text for people, or the object for scripts.
	pub fn result(&self, text: impl FnOnce() -> String, object: impl FnOnce() -> Value) {
		let line = if self.is_json() { object().to_string() } else { text() };
		self.clear();
		// Nobody reads it any more.
		let _ = writeln!(std::io::stdout(), "{}", line.trim_end());
	}

	/// Something for people alone.
	pub fn note(&self, text: &str) {
		if !self.is_json() {
			self.clear();
			let _ = writeln!(std::io::stderr(), "{text}");
		}
	}

	/// Something to look at.
	pub fn warn(&self, text: &str) {
		self.clear();
		if self.is_json() {
			let _ = writeln!(std::io::stdout(), "{}", json!({"event": "warning", "message": text}));
		} else {
			let _ = writeln!(std::io::stderr(), "warning: {text}");
		}
	}

	/// Why the command failed, with its exit code.
	pub fn fail(&self, message: &str, exit: u8) {
		self.clear();
		let resume = self.screen().resume.clone();
		if self.is_json() {
			let error =
				json!({"event": "error", "message": message, "exit": exit, "resume": resume});
			let _ = writeln!(std::io::stdout(), "{error}");
		} else {
			let _ = writeln!(std::io::stderr(), "error: {message}");
			if !resume.is_empty() {
				let _ = writeln!(std::io::stderr(), "Nothing is lost. Go on with: {resume}");
			}
		}
	}

	/// How to go on from here on if the command ends before its work does.
	pub fn resume_with(&self, command: impl Into<String>) {
		self.screen().resume = command.into();
	}

	/// Takes the bar away.
	pub fn clear(&self) {
		if let Some((_, bar)) = self.screen().bar.take() {
			bar.finish_and_clear();
		}
	}

	/// Who is told what a step does.
	pub fn tell(&self) -> Tell {
		let output = self.clone();
		Tell::to(move |progress| output.progress(&progress))
	}

	fn progress(&self, progress: &Progress) {
		if self.is_json() {
			if let Some(object) = object(progress) {
				let _ = writeln!(std::io::stdout(), "{object}");
			}
			return;
		}
		match progress {
			Progress::Warning(text) => self.warn(text),
			Progress::Reading { bytes } => self.bar("Encrypting", *bytes, true),
			Progress::Read { bytes } => {
				if let Some((_, bar)) = &self.screen().bar {
					bar.inc(*bytes);
				}
			},
			Progress::Prepared { .. }
			| Progress::Submitted { .. }
			| Progress::Held
			| Progress::Ended { .. } => self.note(&line(progress)),
			Progress::Sent | Progress::Queued { .. } | Progress::Holding { .. } => {
				self.spin(line(progress))
			},
			Progress::Running { open, agreed, failed, .. } => {
				self.bar("Computing", u64::from(open + agreed + failed), false);
				self.place(u64::from(agreed + failed), line(progress));
			},
			Progress::Fetching { subtasks, done } => {
				self.bar("Fetching", (*subtasks).into(), false);
				self.place((*done).into(), String::new());
			},
			Progress::Fetched { done, .. } => self.place((*done).into(), line(progress)),
		}
	}

	/// Puts a bar of this kind there, if it is not there yet.
	fn bar(&self, kind: &'static str, length: u64, bytes: bool) {
		let mut screen = self.screen();
		if screen.bar.as_ref().is_some_and(|(shown, _)| *shown == kind) {
			return;
		}
		if let Some((_, bar)) = screen.bar.take() {
			bar.finish_and_clear();
		}
		let bar = ProgressBar::new(length).with_prefix(kind);
		let template = if bytes {
			"{prefix} [{bar:40}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"
		} else {
			"{prefix} [{bar:40}] {pos}/{len} {msg}"
		};
		if let Ok(style) = ProgressStyle::with_template(template) {
			bar.set_style(style.progress_chars("=> "));
		}
		bar.enable_steady_tick(TICK);
		screen.bar = Some((kind, bar));
	}

	fn place(&self, position: u64, message: String) {
		let mut screen = self.screen();
		if let Some((_, bar)) = &screen.bar {
			bar.set_position(position);
			bar.set_message(message.clone());
		}
		said(&mut screen, message);
	}

	/// Shows that something goes on whose end nobody knows.
	fn spin(&self, message: String) {
		const KIND: &str = "Waiting";
		let mut screen = self.screen();
		if screen.bar.as_ref().is_none_or(|(kind, _)| *kind != KIND) {
			if let Some((_, bar)) = screen.bar.take() {
				bar.finish_and_clear();
			}
			let bar = ProgressBar::new_spinner();
			bar.enable_steady_tick(TICK);
			screen.bar = Some((KIND, bar));
		}
		if let Some((_, bar)) = &screen.bar {
			bar.set_message(message.clone());
		}
		said(&mut screen, message);
	}
}

/// How often a bar moves by itself.
const TICK: Duration = Duration::from_millis(120);

/// Where there is no terminal there are no bars: a line whenever something has changed.
fn said(screen: &mut Screen, message: String) {
	if screen.last != message && !message.is_empty() && !std::io::stderr().is_terminal() {
		let _ = writeln!(std::io::stderr(), "{message}");
	}
	screen.last = message;
}

/// What happened, in words.
fn line(progress: &Progress) -> String {
	match progress {
		Progress::Prepared { name, subtasks, shards } => {
			format!("Prepared {name}: {subtasks} subtasks, {shards} shards")
		},
		Progress::Sent => "The transaction is on its way".into(),
		Progress::Submitted { task, block, .. } => {
			format!("Task {task}, submitted in block #{block}")
		},
		Progress::Holding { masternodes, needed } => {
			let held = match masternodes.iter().filter(|(_, held)| is_complete(held)).count() {
				1 => "1 masternode holds".into(),
				complete => format!("{complete} masternodes hold"),
			};
			let enough = if *needed == 1 { "is enough" } else { "are enough" };
			format!("{held} the task, {needed} {enough}{}", lacks(masternodes))
		},
		Progress::Held => "Enough masternodes hold the task: you may go offline".into(),
		Progress::Queued { position, due } => {
			let ahead = position.map_or(String::new(), |position| {
				format!(", at most {} tasks ahead", position.ahead)
			});
			format!("In the queue{ahead}; given up in block #{due} if no worker takes it before")
		},
		Progress::Running { open, failed, begun, held, .. } => {
			let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
			format!("{open} open{failed}, {begun} ranges begun, {} held", show(*held))
		},
		Progress::Ended { settlement } => render::ended(settlement),
		Progress::Fetched { bytes, .. } => format!("{bytes} bytes"),
		_ => String::new(),
	}
}

fn is_complete(held: &Result<Held, String>) -> bool {
	held.as_ref().is_ok_and(|held| held.complete)
}

/// What is missing at the masternodes that have not all.
fn lacks(masternodes: &[(AccountId, Result<Held, String>)]) -> String {
	let lacking = masternodes.iter().filter(|(_, held)| !is_complete(held));
	let described = lacking.map(|(account, held)| {
		let account = render::short(account);
		match held {
			Ok(Held { shards_held, shards, reason, .. }) => {
				let reason =
					reason.as_ref().map_or(String::new(), |why| format!(": {}", plain(why)));
				format!("{account} {shards_held}/{shards} shards{reason}")
			},
			Err(reason) => format!("{account}: {}", plain(reason)),
		}
	});
	let described: Vec<_> = described.take(4).collect();
	if described.is_empty() {
		String::new()
	} else {
		format!(" ({})", described.join("; "))
	}
}

/// What a stranger's machine says, on one line and not too long.
fn plain(text: &str) -> String {
	text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// What happened, for scripts. Every few megabytes that were read are nothing to tell.
fn object(progress: &Progress) -> Option<Value> {
	let money = |amount: &Balance| amount.to_string();
	Some(match progress {
		Progress::Warning(text) => json!({"event": "warning", "message": text}),
		Progress::Reading { bytes } => json!({"event": "reading", "bytes": bytes}),
		Progress::Prepared { name, subtasks, shards } => {
			json!({"event": "prepared", "name": name, "subtasks": subtasks, "shards": shards})
		},
		Progress::Sent => json!({"event": "sent"}),
		Progress::Submitted { task, price, block } => json!({
			"event": "submitted", "task": task, "block": block,
			"price": price.as_ref().map(|price| money(&price.total())),
		}),
		Progress::Holding { masternodes, needed } => {
			let row = |(account, held): &(AccountId, Result<Held, String>)| match held {
				Ok(held) => json!({
					"account": account, "complete": held.complete, "manifest": held.manifest,
					"shardsHeld": held.shards_held, "shards": held.shards, "givenUp": held.given_up,
					"reason": held.reason,
				}),
				Err(reason) => json!({"account": account, "error": reason}),
			};
			let rows: Vec<_> = masternodes.iter().map(row).collect();
			json!({"event": "holding", "needed": needed, "masternodes": rows})
		},
		Progress::Held => json!({"event": "held"}),
		Progress::Queued { position, due } => json!({
			"event": "queued", "ahead": position.map(|position| position.ahead), "due": due,
		}),
		Progress::Running { open, agreed, failed, begun, held } => json!({
			"event": "running", "open": open, "agreed": agreed, "failed": failed,
			"begunRanges": begun, "held": money(held),
		}),
		Progress::Ended { settlement } => {
			let mut object = render::settlement(settlement);
			object["event"] = "ended".into();
			object
		},
		Progress::Fetching { subtasks, done } => {
			json!({"event": "fetching", "subtasks": subtasks, "done": done})
		},
		Progress::Fetched { done, bytes } => {
			json!({"event": "fetched", "done": done, "bytes": bytes})
		},
		Progress::Read { .. } => return None,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn it_is_said_what_masternodes_lack() {
		let account = |n| AccountId::new([n; 32]);
		let complete = true;
		let all = Held { complete, manifest: true, shards_held: 2, shards: 2, ..Held::default() };
		let reason = Some("no\nroom".into());
		let part = Held { complete: false, shards_held: 1, reason, ..all.clone() };
		let masternodes = vec![
			(account(1), Ok(all)),
			(account(2), Ok(part)),
			(account(3), Err("no node answers".into())),
		];
		let holding = Progress::Holding { masternodes, needed: 3 };
		let text = line(&holding);
		assert!(text.starts_with("1 masternode holds the task, 3 are enough ("), "{text}");
		assert!(text.contains("1/2 shards: noroom") && text.contains("no node answers"), "{text}");
		let object = object(&holding).expect("it is told");
		assert_eq!(object["masternodes"][1]["shardsHeld"], 1);
		assert_eq!(object["masternodes"][2]["error"], "no node answers");
	}

	#[test]
	fn more_masternodes_than_needed_may_hold_a_task() {
		let held = Held { complete: true, ..Held::default() };
		let masternodes = (1..5).map(|n| (AccountId::new([n; 32]), Ok(held.clone()))).collect();
		let text = line(&Progress::Holding { masternodes, needed: 3 });
		assert_eq!(text, "4 masternodes hold the task, 3 are enough");
		let text = line(&Progress::Holding { masternodes: Vec::new(), needed: 1 });
		assert_eq!(text, "0 masternodes hold the task, 1 is enough");
	}

	#[test]
	fn amounts_are_strings_for_scripts() {
		let running =
			Progress::Running { open: 1, agreed: 2, failed: 3, begun: 4, held: u128::MAX };
		let object = object(&running).expect("it is told");
		assert_eq!(object["held"], u128::MAX.to_string());
		assert_eq!(object["event"], "running");
	}
}
