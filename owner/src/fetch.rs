//! From verdicts to a solution in a folder: results by their digests, verified, decrypted, joined.
//!
//! Results come in batches. After each one what is there is on the disk and noted in the record, so that
//! an interrupted fetch goes on behind it.

use std::{
	fs::{self, File},
	io::{self, BufRead, Seek, SeekFrom, Write},
	path::{Path, PathBuf},
};

use dgcs_content::{Gap, Join, Joined, Manifest, OwnerSecret, Private, Results, Verdict};
use dgcs_primitives::{Outcome, TaskSpec};
use dgcs_store::Store;
use dgcs_worker::execute::MAX_OUTPUT;

use crate::{
	content::blocking,
	error::{at, Error, Result},
	ledger::Ledger,
	progress::{Progress, Tell},
	record::{Fetched, Open, Record},
};

/// How many subtasks are fetched between two notes in the record.
const BATCH: u32 = 256;
/// The most gaps that the record lists; all are counted.
const MAX_GAPS: usize = 10_000;

/// The name of a solution that is one file.
pub const SOLUTION: &str = "result";
/// What is not whole yet.
const PART: &str = ".part";

/// The verdicts of a task, one for each subtask: those without one are undecided.
pub fn verdicts<Balance>(ledger: &Ledger, spec: &TaskSpec<Balance>) -> Vec<Verdict> {
	let undecided = |subtask| Verdict { subtask, result: None };
	let mut verdicts: Vec<Verdict> = (0..spec.subtasks).map(undecided).collect();
	for found in ledger.chain().verdicts(spec) {
		if let Outcome::Agreed(digest) = found.outcome {
			if let Some(verdict) = verdicts.get_mut(found.subtask as usize) {
				verdict.result = Some((digest, found.round));
			}
		}
	}
	verdicts
}

/// Puts the task's solution into `out`, which must be empty or not exist, or be where an earlier fetch
/// began to put it. One file is called [`SOLUTION`].
pub async fn fetch(
	store: &Store,
	secret: &OwnerSecret,
	manifest: &Manifest,
	ledger: &Ledger,
	open: &mut Open,
	out: &Path,
	tell: &Tell,
) -> Result<Fetched> {
	let name = open.record.name.clone();
	let Some(content) = open.record.content.clone() else {
		return Err(Error::NotPrepared { name });
	};
	let spec = content.spec;
	let folder = std::path::absolute(out).map_err(at(out))?;
	let keys = secret.task(&manifest.nonce);
	let source = store.clone();
	let (from, of) = (manifest.clone(), keys.clone());
	let private = blocking(move || Ok(Private::get(&source, &from, &of)?)).await?;
	let join = private.header.join;
	let mut fetched = match open.record.fetched.take() {
		Some(fetched) if fetched.folder == folder && is_there(&fetched, spec.subtasks, join)? => {
			fetched
		},
		_ => {
			claim(&folder)?;
			let begun = Fetched::begun(folder);
			// Before anything is in the folder: a fetch that is interrupted in its first batch would find
			// it in use, by itself.
			let noted = begun.clone();
			open.update(|record| record.fetched = Some(noted))?;
			begun
		},
	};
	let verdicts = verdicts(ledger, &spec);
	tell.say(Progress::Fetching { subtasks: spec.subtasks, done: fetched.next });
	while fetched.next < spec.subtasks {
		let first = fetched.next;
		let last = first.saturating_add(BATCH).min(spec.subtasks);
		let batch = verdicts[first as usize..last as usize].to_vec();
		let (source, from, of) = (store.clone(), manifest.clone(), keys.clone());
		let (private, mut place) = (private.clone(), fetched.clone());
		fetched = blocking(move || {
			// What workers let a program write, however little memory it has.
			let results = Results::new(&source, &from, &of, MAX_OUTPUT);
			let joined = put(&results, &private, batch, &place)?;
			place.next = last;
			place.bytes += joined.bytes;
			for (subtask, gap) in joined.gaps {
				if place.gaps.len() < MAX_GAPS {
					place.gaps.push((subtask, describe(gap)));
				}
			}
			Ok(place)
		})
		.await?;
		let noted = fetched.clone();
		open.update(|record| record.fetched = Some(noted))?;
		tell.say(Progress::Fetched { done: fetched.next, bytes: fetched.bytes });
	}
	if !fetched.done {
		finish(&fetched.folder, join)?;
		fetched.done = true;
	}
	let noted = fetched.clone();
	open.update(|record| record.fetched = Some(noted))?;
	Ok(fetched)
}

/// What an earlier fetch has put into `out`, if all of it is there: then nobody has to be asked for anything.
pub(crate) fn fetched_before(record: &Record, out: &Path) -> Result<Option<Fetched>> {
	let folder = std::path::absolute(out).map_err(at(out))?;
	let Some(fetched) = record.fetched.as_ref().filter(|it| it.done && it.folder == folder) else {
		return Ok(None);
	};
	// Who emptied the folder wants it again.
	Ok(is_used(&folder)?.then(|| fetched.clone()))
}

/// Takes away the one file that a fetch has put into its folder, to make room for a better one. Leaves it
/// where anything else is in that folder, or where somebody has written to it.
pub(crate) fn take_back(fetched: &Fetched) -> Result<()> {
	let path = fetched.folder.join(SOLUTION);
	let ours = |entry: io::Result<fs::DirEntry>| {
		entry.is_ok_and(|entry| {
			let len = entry.metadata().map(|file| file.len()).ok();
			entry.path() == path && len == Some(fetched.bytes)
		})
	};
	let Ok(mut entries) = fs::read_dir(&fetched.folder) else { return Ok(()) };
	if !entries.all(ours) {
		return Ok(());
	}
	match fs::remove_file(&path) {
		Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
		_ => Ok(()),
	}
}

fn part(folder: &Path) -> PathBuf {
	folder.join(PART)
}

/// Whether what was fetched before is where it was put. As long as there is nothing the folder is claimed
/// anew: somebody else may have used it in the meantime.
fn is_there(fetched: &Fetched, subtasks: u32, join: Join) -> Result<bool> {
	let Fetched { folder, next, bytes, done, .. } = fetched;
	// All of it, and the fetch was killed before it could note that.
	let finished = || match join {
		Join::Concatenate => {
			fs::metadata(folder.join(SOLUTION)).is_ok_and(|file| file.len() == *bytes)
		},
		Join::Files => true,
	};
	Ok(is_used(folder)? && (*done || part(folder).exists() || (*next == subtasks && finished())))
}

/// Gives a solution that is whole its name, unless something else has it.
fn finish(folder: &Path, join: Join) -> Result<()> {
	let (part, whole) = (part(folder), folder.join(SOLUTION));
	match join {
		Join::Concatenate if part.exists() => {
			// Not ours: what is ours has no name yet. A link to nothing is something as well.
			if fs::symlink_metadata(&whole).is_ok() {
				return Err(dgcs_content::Error::NotEmpty { path: folder.into() }.into());
			}
			fs::rename(&part, &whole).map_err(at(&whole))
		},
		// An earlier fetch did it, and was killed before it could note that.
		Join::Concatenate => Ok(()),
		Join::Files => remove(&part),
	}
}

/// Takes a folder that is empty, or makes it.
fn claim(folder: &Path) -> Result<()> {
	fs::create_dir_all(folder).map_err(at(folder))?;
	free(folder)
}

/// Whether a folder is free for a solution: it is empty, or does not exist.
pub(crate) fn free(folder: &Path) -> Result<()> {
	match is_used(folder)? {
		false => Ok(()),
		true => Err(dgcs_content::Error::NotEmpty { path: folder.into() }.into()),
	}
}

/// Whether there is a folder with anything in it.
pub(crate) fn is_used(folder: &Path) -> Result<bool> {
	match fs::read_dir(folder) {
		Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
		Err(error) => Err(at(folder)(error)),
		Ok(mut entries) => Ok(entries.next().is_some()),
	}
}

fn remove(path: &Path) -> Result<()> {
	match fs::remove_dir_all(path) {
		Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
		_ => Ok(()),
	}
}

/// Puts one batch behind what is there.
fn put(
	results: &Results<'_>,
	private: &Private,
	batch: Vec<Verdict>,
	place: &Fetched,
) -> Result<Joined> {
	let part = part(&place.folder);
	if private.header.join == Join::Concatenate {
		let path = part;
		let file = File::options().create(true).truncate(false).write(true).open(&path);
		let mut file = file.map_err(at(&path))?;
		// What an interrupted batch has left behind is cut off.
		let ready =
			file.set_len(place.bytes).and_then(|()| file.seek(SeekFrom::Start(place.bytes)));
		ready.map_err(at(&path))?;
		// For small results: a segment of a large one is written as it is.
		let mut file = io::BufWriter::with_capacity(128 << 10, file);
		let joined = results.concatenate(batch.into_iter(), &mut file)?;
		let synced = file.flush().and_then(|()| file.get_ref().sync_data());
		synced.map_err(at(&path))?;
		return Ok(joined);
	}
	// The batch in a folder of its own, so that files of an interrupted one are not in the way.
	let folder = part.join("batch");
	remove(&folder)?;
	let joined = results.to_files(batch.into_iter(), private, &folder)?;
	move_all(&folder, &place.folder)?;
	Ok(joined)
}

/// Moves all files below `from` to the same places below `to`, and overwrites nothing of anybody else's.
fn move_all(from: &Path, to: &Path) -> Result<()> {
	let mut left = vec![(from.to_owned(), to.to_owned())];
	while let Some((from, to)) = left.pop() {
		fs::create_dir_all(&to).map_err(at(&to))?;
		for entry in fs::read_dir(&from).map_err(at(&from))? {
			let entry = entry.map_err(at(&from))?;
			let (source, target) = (entry.path(), to.join(entry.file_name()));
			if entry.file_type().map_err(at(&source))?.is_dir() {
				left.push((source, target));
			} else {
				// A batch that was interrupted here has moved some of them before.
				if fs::symlink_metadata(&target).is_ok() && !is_same(&source, &target)? {
					return Err(Error::Taken { path: target });
				}
				fs::rename(&source, &target).map_err(at(&target))?;
			}
		}
	}
	Ok(())
}

/// Whether two files have the same bytes.
fn is_same(one: &Path, other: &Path) -> Result<bool> {
	let len = |path: &Path| {
		fs::symlink_metadata(path).map_err(at(path)).map(|it| it.is_file().then_some(it.len()))
	};
	if len(one)? != len(other)? {
		return Ok(false);
	}
	let open = |path: &Path| File::open(path).map(io::BufReader::new).map_err(at(path));
	let (mut left, mut right) = (open(one)?, open(other)?);
	loop {
		let (a, b) = (left.fill_buf().map_err(at(one))?, right.fill_buf().map_err(at(other))?);
		let len = a.len().min(b.len());
		if len == 0 || a[..len] != b[..len] {
			return Ok(a.is_empty() && b.is_empty());
		}
		left.consume(len);
		right.consume(len);
	}
}

/// Why a subtask adds nothing, or not what it should, in words.
pub fn describe(gap: Gap) -> String {
	match gap {
		Gap::Undecided => "no verdict".into(),
		Gap::Ended(ending) => ending.to_string(),
	}
}

#[cfg(test)]
mod tests {
	use dgcs_primitives::Round;

	use super::*;
	use crate::{
		ledger::tests::{entries, TASK},
		survey::Survey,
		wish::{Outline, Terms},
	};

	#[test]
	fn every_subtask_has_a_verdict_or_a_gap() {
		let folder = tempfile::tempdir().expect("a folder");
		let mut ledger = Ledger::read(&folder.path().join("ledger"), TASK).expect("nothing there");
		ledger.append(entries(4)).expect("linked");
		let terms = Terms { range_size: Some(1), ..Terms::usual() };
		let survey = Survey { cut: dgcs_content::Cut::Files, subtasks: 6, bytes: 0 };
		let spec = terms.spec(&Outline::of(&survey, &terms), 3000);
		let verdicts = verdicts(&ledger, &spec);
		let shown: Vec<_> = verdicts
			.iter()
			.map(|verdict| (verdict.subtask, verdict.result.map(|(digest, _)| digest.0 .0[0])))
			.collect();
		assert_eq!(
			shown,
			[(0, Some(0)), (1, Some(1)), (2, None), (3, Some(3)), (4, None), (5, None)]
		);
		assert_eq!(verdicts[3].result.map(|(_, round)| round), Some(Round(0)));
	}

	#[test]
	fn files_are_moved_with_their_folders() {
		let folder = tempfile::tempdir().expect("a folder");
		let (from, to) = (folder.path().join(".part"), folder.path().join("out"));
		fs::create_dir_all(from.join("a/b")).expect("can be made");
		fs::write(from.join("a/b/one"), "1").expect("writable");
		fs::write(from.join("two"), "2").expect("writable");
		fs::create_dir_all(&to).expect("can be made");
		// A fetch that was killed while it moved has left it there.
		fs::write(to.join("two"), "2").expect("writable");
		move_all(&from, &to).expect("the same disk");
		assert_eq!(fs::read_to_string(to.join("a/b/one")).expect("moved"), "1");
		assert_eq!(fs::read_to_string(to.join("two")).expect("moved"), "2");
	}

	#[test]
	fn a_file_of_somebody_elses_is_not_overwritten_by_a_result_of_its_name() {
		let folder = tempfile::tempdir().expect("a folder");
		let (from, to) = (folder.path().join(".part"), folder.path().join("out"));
		fs::create_dir_all(&to).expect("can be made");
		for (theirs, result) in [("mine", "result"), ("mine", "ours"), ("", "ours")] {
			fs::create_dir_all(&from).expect("can be made");
			fs::write(from.join("one"), result).expect("writable");
			fs::write(to.join("one"), theirs).expect("writable");
			let error = move_all(&from, &to).expect_err("the name is taken");
			assert!(matches!(&error, Error::Taken { path } if *path == to.join("one")), "{error}");
			assert_eq!(fs::read_to_string(to.join("one")).expect("untouched"), theirs);
			assert_eq!(fs::read_to_string(from.join("one")).expect("kept"), result);
		}
	}

	#[test]
	fn files_are_the_same_by_their_bytes() {
		let folder = tempfile::tempdir().expect("a folder");
		let (one, other) = (folder.path().join("one"), folder.path().join("other"));
		let long = "x".repeat(100_000);
		for (a, b, same) in [
			("", "", true),
			("a", "a", true),
			("a", "b", false),
			(&long, &long, true),
			(&long, &long[1..], false),
			(&format!("{long}a"), &format!("{long}b"), false),
		] {
			fs::write(&one, a).expect("writable");
			fs::write(&other, b).expect("writable");
			assert_eq!(is_same(&one, &other).expect("readable"), same);
		}
	}

	#[test]
	fn a_whole_fetch_is_found_where_it_was_put() {
		let folder = tempfile::tempdir().expect("a folder");
		let out = folder.path().join("out");
		let owner = dgcs_client::AccountId::new([2; 32]);
		let nonce = dgcs_content::TaskNonce([7; 32]);
		let mut record = Record::new(sp_core::H256::zero(), owner, nonce);
		let mut before = |fetched: &Fetched, out: &Path| {
			record.fetched = Some(fetched.clone());
			fetched_before(&record, out).expect("a path")
		};
		let begun = Fetched::begun(out.clone());
		let fetched = Fetched { next: 1, bytes: 4, done: true, ..begun };
		assert_eq!(before(&fetched, &out), None, "it was removed");
		fs::create_dir(&out).expect("can be made");
		assert_eq!(before(&fetched, &out), None, "it was emptied");
		assert!(!is_there(&fetched, 1, Join::Concatenate).expect("readable"));
		fs::write(out.join(SOLUTION), "four").expect("writable");
		assert_eq!(before(&fetched, &out), Some(fetched.clone()));
		assert_eq!(before(&fetched, folder.path()), None, "it is elsewhere");
		let part = Fetched { done: false, ..fetched };
		assert_eq!(before(&part, &out), None, "it is not whole");
	}

	#[test]
	fn a_fetch_that_was_killed_in_its_last_step_goes_on() {
		let folder = tempfile::tempdir().expect("a folder");
		let out = folder.path().join("out");
		fs::create_dir(&out).expect("can be made");
		let whole = Fetched { bytes: 5, ..Fetched::begun(out.clone()) };
		let is_there =
			|next, join| is_there(&Fetched { next, ..whole.clone() }, 2, join).expect("readable");
		fs::write(out.join("file"), "").expect("writable");
		assert!(is_there(2, Join::Files) && !is_there(1, Join::Files));
		assert!(!is_there(2, Join::Concatenate), "there is nothing");
		fs::remove_file(out.join("file")).expect("there");
		fs::write(part(&out), "whole").expect("writable");
		assert!(is_there(1, Join::Concatenate) && is_there(2, Join::Concatenate));
		// It was killed after the first of these, or in the second.
		for _ in 0..2 {
			finish(&out, Join::Concatenate).expect("it is there");
			assert_eq!(fs::read_to_string(out.join(SOLUTION)).expect("named"), "whole");
			assert!(is_there(2, Join::Concatenate) && !is_there(1, Join::Concatenate));
		}
		fs::write(out.join(SOLUTION), "somebody else's").expect("writable");
		assert!(!is_there(2, Join::Concatenate));
	}

	#[test]
	fn what_somebody_else_has_put_there_is_not_overwritten() {
		let folder = tempfile::tempdir().expect("a folder");
		let out = folder.path().join("out");
		fs::create_dir(&out).expect("can be made");
		let begun = Fetched::begun(out.clone());
		let goes_on = |join| is_there(&begun, 2, join).expect("readable");
		assert!(!goes_on(Join::Concatenate) && !goes_on(Join::Files), "there is nothing");
		claim(&out).expect("it is still free");
		// Killed in its first batch.
		fs::write(part(&out), "whole").expect("writable");
		assert!(goes_on(Join::Concatenate));
		let result = out.join(SOLUTION);
		fs::write(&result, "somebody else's").expect("writable");
		let error = finish(&out, Join::Concatenate).expect_err("the name is taken");
		assert!(error.to_string().contains("name a new folder"), "{error}");
		assert_eq!(fs::read_to_string(&result).expect("untouched"), "somebody else's");
		fs::remove_file(&result).expect("there");
		finish(&out, Join::Concatenate).expect("there is room again");
		assert_eq!(fs::read_to_string(&result).expect("named"), "whole");
	}

	#[test]
	fn what_a_failed_step_has_put_is_taken_back_and_nothing_else() {
		let folder = tempfile::tempdir().expect("a folder");
		let out = folder.path().join("out");
		let gaps = vec![(0, "out of memory".to_string())];
		let fetched =
			Fetched { next: 1, bytes: 4, gaps, done: true, ..Fetched::begun(out.clone()) };
		take_back(&fetched).expect("there is nothing");
		fs::create_dir(&out).expect("can be made");
		take_back(&fetched).expect("there is nothing");
		let result = out.join(SOLUTION);
		fs::write(&result, "part").expect("writable");
		fs::write(out.join("notes"), "mine").expect("writable");
		take_back(&fetched).expect("readable");
		assert!(result.exists(), "the folder is in use");
		fs::remove_file(out.join("notes")).expect("there");
		fs::write(&result, "merged by hand").expect("writable");
		take_back(&fetched).expect("readable");
		assert!(result.exists(), "somebody has written to it");
		fs::write(&result, "part").expect("writable");
		take_back(&fetched).expect("mine");
		assert!(!result.exists());
		claim(&out).expect("there is room again");
	}

	#[test]
	fn a_folder_in_use_is_not_written_to() {
		let folder = tempfile::tempdir().expect("a folder");
		claim(&folder.path().join("new/one")).expect("it is made");
		let error = claim(folder.path()).expect_err("it has a folder in it");
		assert!(error.to_string().contains("not empty"), "{error}");
	}
}
