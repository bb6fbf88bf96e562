//! From verdicts to a solution in a folder: results by their digests, verified, decrypted, joined.
//!
//! Results come in batches. After each one what is there is on the disk and noted in the record, so that
//! an interrupted fetch goes on behind it.

use std::{
	fs::{self, File},
	io::{self, BufRead, Seek, SeekFrom},
	path::{Path, PathBuf},
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant},
};

use dgcs_content::{
	BlockSource, Gap, Join, Joined, Manifest, OwnerSecret, Private, Results, TaskKeys, Verdict,
};
use dgcs_primitives::{Outcome, TaskSpec};
use dgcs_store::Store;
use dgcs_worker::execute::MAX_OUTPUT;

use crate::{
	content::blocking,
	error::{at, Error, Result},
	ledger::Ledger,
	progress::{Progress, Tell},
	reason::Reason,
	record::{Fetched, Open, Record},
	writeback::Writeback,
};

/// How many subtasks are fetched between two notes in the record.
const BATCH: u32 = 256;
/// How long nothing is said of what is fetched within a batch.
const PAUSE: Duration = Duration::from_secs(1);
/// The most gaps that the record lists.
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

/// What a task's results are read with.
struct Origin {
	source: Arc<dyn BlockSource + Send + Sync>,
	manifest: Manifest,
	keys: TaskKeys,
	private: Private,
}

impl Origin {
	fn results(&self) -> Results<'_> {
		// What workers let a program write, however little memory it has.
		Results::new(&*self.source, &self.manifest, &self.keys, MAX_OUTPUT)
	}

	fn join(&self) -> Join {
		self.private.header.join
	}

	/// Puts one batch behind what is there.
	async fn add(
		self: &Arc<Self>,
		batch: Vec<Verdict>,
		place: Fetched,
		tell: &Tell,
	) -> Result<Fetched> {
		let (origin, said) = (self.clone(), tell.clone());
		blocking(move || {
			let (before, spoken) = (place.bytes, Mutex::new(Instant::now()));
			let told = |done: u32, bytes: u64| {
				let mut spoken = spoken.lock().unwrap_or_else(PoisonError::into_inner);
				if spoken.elapsed() >= PAUSE {
					*spoken = Instant::now();
					said.say(Progress::Fetched { done, bytes: before + bytes });
				}
			};
			let results = origin.results().telling(&told);
			add(&results, &origin.private, batch, place)
		})
		.await
	}

	/// How many of these results nobody has.
	async fn lost(self: &Arc<Self>, verdicts: Vec<Verdict>) -> Result<usize> {
		let origin = self.clone();
		blocking(move || {
			let joined = origin.results().concatenate(verdicts.into_iter(), &mut io::sink())?;
			Ok(joined.gaps.iter().filter(|(_, gap)| matches!(gap, Gap::Missing(_))).count())
		})
		.await
	}

	/// Looks once more for the results that nobody had when all others were fetched, and puts those that are
	/// there now where they belong. `None`: there is nothing better than what is there.
	async fn mend(
		self: &Arc<Self>,
		earlier: &Fetched,
		verdicts: &[Verdict],
		tell: &Tell,
	) -> Result<Option<Fetched>> {
		let (lost, others): (Vec<_>, Vec<_>) =
			earlier.gaps.iter().cloned().partition(|(_, reason)| reason.is_missing());
		let lost: Vec<Verdict> = lost
			.iter()
			.filter_map(|(subtask, _)| verdicts.get(*subtask as usize).copied())
			.collect();
		if self.join() == Join::Files {
			let mut mended = Fetched { gaps: others, ..earlier.clone() };
			for batch in lost.chunks(BATCH as usize) {
				mended = self.add(batch.to_vec(), mended, tell).await?;
			}
			mended.next = earlier.next;
			mended.gaps.sort();
			finish(&mended.folder, Join::Files)?;
			return Ok(Some(mended));
		}
		let (part, whole) = (part(&earlier.folder), earlier.folder.join(SOLUTION));
		if is_ours(earlier) && self.lost(lost.clone()).await? < lost.len() {
			// All of it again, since nobody knows where in the file they belong. Until it is whole there is the
			// one without them.
			let mut mended = Fetched::begun(earlier.folder.clone());
			for batch in verdicts.chunks(BATCH as usize) {
				mended = self.add(batch.to_vec(), mended, tell).await?;
				tell.say(Progress::Fetched { done: mended.next, bytes: mended.bytes });
			}
			// Others may be gone meanwhile, or somebody may have written to it.
			if count_lost(&mended) < lost.len() && is_ours(earlier) {
				fs::rename(&part, &whole).map_err(at(&whole))?;
				return Ok(Some(Fetched { done: true, ..mended }));
			}
		}
		match fs::remove_file(&part) {
			Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&part)(error)),
			_ => Ok(None),
		}
	}
}

/// Puts the task's solution into `out`, which must be empty or not exist, or be where an earlier fetch
/// began to put it. One file is called [`SOLUTION`]. Results that nobody has are gaps of the solution, and
/// are looked for again when it is fetched again.
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
	let (source, manifest) = (store.clone(), manifest.clone());
	let origin = blocking(move || {
		let private = Private::get(&source, &manifest, &keys)?;
		Ok(Arc::new(Origin { source: Arc::new(source), manifest, keys, private }))
	});
	let origin = origin.await?;
	let join = origin.join();
	let verdicts = verdicts(ledger, &spec);
	if let Some(earlier) = open.record.fetched.clone() {
		if earlier.done && earlier.folder == folder && misses(&earlier) && is_used(&folder)? {
			tell.say(Progress::Fetching { subtasks: spec.subtasks, done: 0 });
			let mended = origin.mend(&earlier, &verdicts, tell).await?;
			if let Some(mended) = mended.clone() {
				open.update(|record| record.fetched = Some(mended))?;
			}
			return Ok(mended.unwrap_or(earlier));
		}
	}
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
	tell.say(Progress::Fetching { subtasks: spec.subtasks, done: fetched.next });
	while fetched.next < spec.subtasks {
		let first = fetched.next;
		let last = first.saturating_add(BATCH).min(spec.subtasks);
		let batch = verdicts[first as usize..last as usize].to_vec();
		fetched = origin.add(batch, fetched, tell).await?;
		if let Some(reason) = in_vain(&fetched).filter(|_| first == 0 && last < spec.subtasks) {
			tell.say(Progress::Warning(format!(
				"none of the first {last} results can be found ({reason}). Looking for the others"
			)));
		}
		let noted = fetched.clone();
		open.update(|record| record.fetched = Some(noted))?;
		tell.say(Progress::Fetched { done: fetched.next, bytes: fetched.bytes });
	}
	if !fetched.done {
		if let Some(reason) = in_vain(&fetched).map(ToString::to_string) {
			// The next time may find all of them, and begins anew.
			open.update(|record| record.fetched = Some(Fetched::begun(fetched.folder)))?;
			return Err(Error::NoResults { reason });
		}
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
	// Who emptied the folder wants it again. What nobody had then, somebody may have now.
	Ok((is_used(&folder)? && !misses(fetched)).then(|| fetched.clone()))
}

fn count_lost(fetched: &Fetched) -> usize {
	fetched.gaps.iter().filter(|(_, reason)| reason.is_missing()).count()
}

/// Whether there are results of a task that nobody had when it was fetched.
pub(crate) fn misses(fetched: &Fetched) -> bool {
	count_lost(fetched) > 0
}

/// Why no result at all was found, if there should be some: that is more likely about this machine's way to
/// the network than about whoever has them.
fn in_vain(fetched: &Fetched) -> Option<&Reason> {
	let Fetched { gaps, next, .. } = fetched;
	let is_nothing = |reason: &Reason| matches!(reason, Reason::Missing(_) | Reason::Undecided);
	let nothing =
		gaps.len() as u64 == u64::from(*next) && gaps.iter().all(|(_, it)| is_nothing(it));
	let missing = gaps.iter().find(|(_, reason)| reason.is_missing())?;
	nothing.then_some(&missing.1)
}

/// Takes away the one file that a fetch has put into its folder, to make room for a better one. Leaves it
/// where anything else is in that folder, or where somebody has written to it.
pub(crate) fn take_back(fetched: &Fetched) -> Result<()> {
	let path = fetched.folder.join(SOLUTION);
	let is_it = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.path() == path);
	let Ok(mut entries) = fs::read_dir(&fetched.folder) else { return Ok(()) };
	if !entries.all(is_it) || !is_ours(fetched) {
		return Ok(());
	}
	match fs::remove_file(&path) {
		Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
		_ => Ok(()),
	}
}

/// Whether the one file that a fetch has put into its folder is there, as long as it was.
fn is_ours(fetched: &Fetched) -> bool {
	let whole = fs::symlink_metadata(fetched.folder.join(SOLUTION));
	whole.is_ok_and(|file| file.is_file() && file.len() == fetched.bytes)
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

/// Adds one batch to what is there, and says what is there then.
fn add(
	results: &Results<'_>,
	private: &Private,
	batch: Vec<Verdict>,
	mut place: Fetched,
) -> Result<Fetched> {
	let next = batch.last().map_or(place.next, |verdict| verdict.subtask.saturating_add(1));
	let joined = put(results, private, batch, &place)?;
	place.next = next;
	place.bytes += joined.bytes;
	for (subtask, gap) in joined.gaps {
		let gap = (subtask, Reason::from(gap));
		if place.gaps.len() < MAX_GAPS {
			place.gaps.push(gap);
		} else if let Some(last) = place.gaps.last_mut().filter(|_| gap.1.is_missing()) {
			// That anything is to be looked for again must not be lost with the rest.
			*last = gap;
		}
	}
	Ok(place)
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
		let mut file = io::BufWriter::with_capacity(128 << 10, Writeback::new(file));
		let joined = results.concatenate(batch.into_iter(), &mut file)?;
		let whole = file.into_inner().map_err(io::IntoInnerError::into_error);
		whole.and_then(Writeback::sync).map_err(at(&path))?;
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

#[cfg(test)]
mod tests {
	use std::io::Write;

	use dgcs_content::{
		content_id::display, prepare, put_blob, result_id, seal_result, Cut, Directory, Ending,
		Input, Plan, Scope, TaskKeys, TaskNonce, DEFAULT_SHARD_SIZE,
	};
	use dgcs_primitives::{RangeIndex, Round};

	use super::*;
	use crate::{
		ledger::tests::{entries, TASK},
		survey::Survey,
		wish::{Outline, Terms},
	};

	const RANGE: u32 = 64;

	/// A task of which every subtask has a result.
	struct Solved {
		folder: tempfile::TempDir,
		store: Directory,
		manifest: Manifest,
		keys: TaskKeys,
		private: Private,
		verdicts: Vec<Verdict>,
	}

	impl Solved {
		fn new(subtasks: u32, join: Join) -> Self {
			let folder = tempfile::tempdir().expect("a folder");
			let store = Directory::open(folder.path().join("blocks")).expect("can be made");
			let plan = Plan {
				cut: Cut::Index(subtasks),
				join,
				range_size: RANGE,
				shard_size: DEFAULT_SHARD_SIZE,
				program: put_blob(&store, b"\0asm").expect("there is room"),
				arguments: vec![],
				environment: vec![],
				merge: None,
				masternodes: vec![],
			};
			let (secret, nonce) = (OwnerSecret::from_bytes([1; 32]), TaskNonce([2; 32]));
			let prepared = prepare(&Input::Nothing, &plan, &secret, nonce, &store, &mut |_| ());
			let manifest = prepared.expect("possible").manifest;
			let keys = secret.task(&nonce);
			let private = Private::get(&store, &manifest, &keys).expect("its own");
			let mut task = Solved { folder, store, manifest, keys, private, verdicts: vec![] };
			task.verdicts = (0..subtasks).map(|subtask| task.restore(subtask)).collect();
			task
		}

		/// Puts the result of a subtask where it is to be found.
		fn restore(&self, subtask: u32) -> Verdict {
			let key = self.keys.scope(Scope::Range(RangeIndex(subtask / RANGE)));
			let (round, output) = (Round(0), Solved::output(subtask));
			let mut output = output.as_bytes();
			let digest = seal_result(&self.store, &key, round, subtask, Ending::Ok, &mut output);
			Verdict { subtask, result: Some((digest.expect("there is room"), round)) }
		}

		/// No two are alike, and some are empty.
		fn output(subtask: u32) -> String {
			format!("{subtask} ").repeat(subtask as usize % 5)
		}

		fn outputs(&self) -> Vec<String> {
			self.verdicts.iter().map(|verdict| Solved::output(verdict.subtask)).collect()
		}

		/// A folder in which a fetch begins.
		fn begin(&self) -> Fetched {
			let out = self.folder.path().join("out");
			claim(&out).expect("it is free");
			Fetched::begun(out)
		}

		/// Fetches the next batch.
		fn add(&self, place: Fetched) -> Fetched {
			let results = Results::new(&self.store, &self.manifest, &self.keys, 1000);
			let first = place.next as usize;
			let last = (first + BATCH as usize).min(self.verdicts.len());
			add(&results, &self.private, self.verdicts[first..last].to_vec(), place).expect("room")
		}

		fn all(&self, mut place: Fetched) -> Fetched {
			while (place.next as usize) < self.verdicts.len() {
				place = self.add(place);
			}
			place
		}

		/// Takes the result of a subtask away, and says what is said of it then.
		fn lose(&self, subtask: u32) -> Reason {
			let (digest, _) = self.verdicts[subtask as usize].result.expect("it has one");
			let id = result_id(&digest);
			fs::remove_file(self.store.path_of(&id)).expect("stored");
			Reason::Missing(display(&id))
		}
	}

	#[test]
	fn a_fetch_that_was_interrupted_between_batches_has_all_of_it_once() {
		for join in [Join::Concatenate, Join::Files] {
			let task = Solved::new(600, join);
			let place = task.add(task.begin());
			let out = place.folder.clone();
			assert_eq!((place.next, &place.gaps), (BATCH, &vec![]));
			// The second batch was under way.
			match join {
				Join::Concatenate => {
					let mut file = File::options().append(true).open(part(&out)).expect("there");
					file.write_all(b"256 and half of").expect("writable");
				},
				Join::Files => {
					let batch = part(&out).join("batch");
					fs::create_dir_all(&batch).expect("can be made");
					fs::write(batch.join("258"), "half of it").expect("writable");
					fs::write(out.join("257"), Solved::output(257)).expect("writable");
				},
			}
			assert!(is_there(&place, 600, join).expect("readable"), "it goes on");
			let place = task.all(place);
			finish(&out, join).expect("it is whole");
			let expected = task.outputs();
			assert_eq!((place.next, &place.gaps), (600, &vec![]));
			assert_eq!(place.bytes, expected.concat().len() as u64);
			let files = match join {
				Join::Concatenate => vec![(SOLUTION.to_owned(), expected.concat())],
				Join::Files => {
					(0..).zip(expected).map(|(n, it): (u32, _)| (format!("{n:03}"), it)).collect()
				},
			};
			let mut found: Vec<_> = fs::read_dir(&out)
				.expect("there")
				.map(|entry| entry.expect("readable"))
				.map(|entry| entry.file_name().into_string().expect("text"))
				.map(|name| (name.clone(), fs::read_to_string(out.join(name)).expect("text")))
				.collect();
			found.sort();
			assert!(found == files, "{join:?}");
		}
	}

	#[test]
	fn a_result_that_nobody_has_does_not_hold_up_the_others() {
		let task = Solved::new(300, Join::Concatenate);
		let reasons = [2, 256, 299].map(|subtask| (subtask, task.lose(subtask)));
		let mut expected = task.outputs();
		[2, 256, 299].into_iter().for_each(|subtask: usize| expected[subtask].clear());
		let mut place = task.all(task.begin());
		finish(&place.folder, Join::Concatenate).expect("it is as whole as can be");
		place.done = true;
		assert_eq!(place.gaps, reasons);
		assert!(place.lacks() && misses(&place) && in_vain(&place).is_none());
		let solution = fs::read_to_string(place.folder.join(SOLUTION)).expect("it is there");
		assert_eq!((solution.len() as u64, solution), (place.bytes, expected.concat()));

		let owner = dgcs_client::AccountId::new([2; 32]);
		let mut record = Record::new(sp_core::H256::zero(), owner, TaskNonce([7; 32]));
		record.fetched = Some(place.clone());
		let before = |record: &Record| fetched_before(record, &place.folder).expect("a path");
		assert_eq!(before(&record), None, "somebody may have it by now");
		let ended = Fetched { gaps: vec![(2, "trap".into())], ..place.clone() };
		record.fetched = Some(ended.clone());
		assert_eq!(before(&record), Some(ended), "it would trap again");
	}

	#[tokio::test]
	async fn what_nobody_had_is_put_where_it_belongs_once_it_is_there() {
		for join in [Join::Concatenate, Join::Files] {
			let task = Solved::new(300, join);
			let reasons = [2, 256, 299].map(|subtask| (subtask, task.lose(subtask)));
			let place = task.all(task.begin());
			finish(&place.folder, join).expect("it is as whole as can be");
			let earlier = Fetched { done: true, ..place };
			let out = &earlier.folder;
			// All bytes in the folder, in the order of the files' names.
			let read = || {
				let names =
					fs::read_dir(out).expect("there").map(|entry| entry.expect("readable").path());
				let mut names: Vec<_> = names.collect();
				names.sort();
				let text = |path: &PathBuf| fs::read_to_string(path).expect("text");
				names.iter().map(text).collect::<String>()
			};
			let nobody = Tell::nobody();
			let origin = Arc::new(Origin {
				source: Arc::new(Directory::open(task.store.path()).expect("there")),
				manifest: task.manifest.clone(),
				keys: task.keys.clone(),
				private: task.private.clone(),
			});
			let mut expected = task.outputs();
			let mut without = expected.clone();
			[2, 256, 299].into_iter().for_each(|subtask: usize| without[subtask].clear());
			let mended =
				origin.mend(&earlier, &task.verdicts, &nobody).await.expect("it is looked for");
			assert_eq!(mended.unwrap_or(earlier.clone()).gaps, reasons, "it is where it was");
			assert_eq!(read(), without.concat());

			task.restore(256);
			task.restore(299);
			let mended = origin.mend(&earlier, &task.verdicts, &nobody).await.expect("found");
			let mended = mended.expect("two are there");
			expected[2].clear();
			assert_eq!(read(), expected.concat(), "{join:?}");
			assert_eq!(mended.gaps, reasons[..1]);
			assert_eq!((mended.next, mended.done), (300, true));
			assert_eq!(mended.bytes, expected.concat().len() as u64);

			task.restore(2);
			if join == Join::Concatenate {
				// Another one is gone in the meantime: what is there is no worse.
				task.lose(7);
				let worse =
					origin.mend(&mended, &task.verdicts, &nobody).await.expect("looked for");
				assert_eq!(worse, None);
				assert_eq!(read(), expected.concat(), "and nothing beside it");
				task.restore(7);
				fs::write(out.join(SOLUTION), "edited").expect("writable");
				let mine = origin.mend(&mended, &task.verdicts, &nobody).await.expect("looked at");
				assert_eq!((mine, read()), (None, "edited".into()));
			} else {
				let whole = origin.mend(&mended, &task.verdicts, &nobody).await.expect("found");
				assert_eq!(whole.map(|whole| whole.gaps), Some(vec![]));
				assert_eq!(read(), task.outputs().concat());
			}
		}
	}

	#[test]
	fn that_nobody_has_any_result_is_no_solution() {
		let task = Solved::new(3, Join::Concatenate);
		let [first, ..] = [0, 1, 2].map(|subtask| task.lose(subtask));
		let mut place = task.all(task.begin());
		assert_eq!((place.bytes, place.gaps.len()), (0, 3));
		assert_eq!(in_vain(&place), Some(&first));
		place.gaps[1].1 = "no verdict".into();
		assert_eq!(in_vain(&place), Some(&first), "it has none");
		place.gaps[1].1 = "out of fuel".into();
		assert_eq!(in_vain(&place), None, "one was found");
		place.gaps.remove(1);
		assert_eq!(in_vain(&place), None, "one is there");
		let undecided = Fetched { gaps: vec![(0, "no verdict".into())], next: 1, ..place };
		assert_eq!(in_vain(&undecided), None, "nobody is looked for");
	}

	#[test]
	fn that_results_are_to_be_looked_for_again_is_known_however_many_gaps_there_are() {
		let task = Solved::new(1, Join::Concatenate);
		let reason = task.lose(0);
		let gaps = vec![(7, "trap".into()); MAX_GAPS];
		let place = task.add(Fetched { gaps, ..task.begin() });
		assert_eq!(place.gaps.len(), MAX_GAPS);
		assert_eq!(place.gaps.last(), Some(&(0, reason)));
		assert!(misses(&place));
	}

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
		let gaps = vec![(0, "out of memory".into())];
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
