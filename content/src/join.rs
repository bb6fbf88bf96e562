//! Joining results into a solution: one after the other in one stream, or each as a file. What is
//! not there, or did not end well, is reported and never silently left out. A result that can't be read
//! is a gap as well: whoever was paid for it must not keep its owner from all the others.

use std::{
	fs::{self, File},
	io::{self, Write},
	path::{Path, PathBuf},
};

use codec::{Decode, Encode};
use dgcs_primitives::{ContentId, RangeIndex, ResultDigest, Round};

use crate::{
	archive::{below, claim},
	block::BlockSource,
	error::{Error, Result},
	keys::{Scope, TaskKeys},
	manifest::Manifest,
	pool::{ordered, with_pool},
	private::Private,
	result::{split, Ending, Output, HEADER},
	sealed::Segment,
	tree::Content,
};

/// How results become a solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Join {
	/// In one stream, in the order of the subtasks.
	Concatenate,
	/// Each as a file: named as the file that it was computed from, or by its number.
	Files,
}

/// What the chain says of one subtask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
	/// Its number.
	pub subtask: u32,
	/// The result that the majority agreed on and the round in which it did; `None` if there is
	/// none.
	pub result: Option<(ResultDigest, Round)>,
}

/// Why a subtask adds nothing, or not what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
	/// No majority agreed on a result.
	Undecided,
	/// The program ended so. Its output up to there is part of the solution.
	Ended(Ending),
	/// This block of its result is not to be found, or was not sent in time: it may be later. In a stream
	/// the output before that block is part of the solution; no file is left of it.
	Missing(ContentId),
	/// What the majority agreed on is no result, and never will be one: why. As above, a stream has what
	/// came before that was seen, and no file is left of it.
	Unreadable(String),
}

impl Gap {
	/// What the error `error` means for one subtask, if it is about what was put in the place of its result.
	/// All others are about the machine that reads it, and would be those of the next subtask as well.
	fn of(error: Error) -> Result<Self> {
		match error {
			Error::Missing(id) | Error::WrongBlock { id, .. } => Ok(Gap::Missing(id)),
			Error::Store { id, source } if source.kind() == io::ErrorKind::TimedOut => {
				Ok(Gap::Missing(id))
			},
			Error::TooLarge { .. }
			| Error::Tree { .. }
			| Error::Cid(_)
			| Error::Sealed { .. }
			| Error::Decode { .. } => Ok(Gap::Unreadable(error.to_string())),
			error => Err(error),
		}
	}

	/// Whether there is no whole result.
	fn is_broken(&self) -> bool {
		matches!(self, Gap::Missing(_) | Gap::Unreadable(_))
	}
}

/// What a join came to.
#[must_use = "a solution with gaps is not the whole solution"]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
	/// How many bytes of output.
	pub bytes: u64,
	/// Subtasks that add nothing, or not what they should, in order.
	pub gaps: Vec<(u32, Gap)>,
}

/// A segment of a result, or why there is none.
type Found<'a> = std::result::Result<Segment<'a>, Gap>;

impl Joined {
	/// Adds a gap. A subtask has one: that its result breaks off says more than how its program ended.
	fn add(&mut self, subtask: u32, gap: Gap) {
		self.gaps.pop_if(|(last, _)| *last == subtask);
		self.gaps.push((subtask, gap));
	}
}

/// Opens a segment, and gives its output. The first one of a result says how the program ended as well.
fn open_segment(segment: Segment<'_>) -> Result<(Option<Ending>, Content)> {
	let is_first = segment.is_first();
	let mut content = segment.open()?;
	if !is_first {
		return Ok((None, content));
	}
	let (ending, _) = split(content.bytes())?;
	content.advance(HEADER);
	Ok((Some(ending), content))
}

/// Reads results of one task as its owner.
#[derive(Clone, Copy)]
pub struct Results<'a> {
	source: &'a dyn BlockSource,
	manifest: &'a Manifest,
	keys: &'a TaskKeys,
	limit: u64,
	told: &'a (dyn Fn(u32, u64) + Sync),
}

impl std::fmt::Debug for Results<'_> {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Results(of {} subtasks)", self.manifest.subtasks)
	}
}

impl<'a> Results<'a> {
	/// `limit` is the most bytes of output that one subtask may have.
	pub fn new(
		source: &'a dyn BlockSource,
		manifest: &'a Manifest,
		keys: &'a TaskKeys,
		limit: u64,
	) -> Self {
		Results { source, manifest, keys, limit, told: &|_, _| () }
	}

	/// Tells `told`, while results are joined, of each subtask whose turn it is, and how many bytes those
	/// before it came to.
	pub fn telling(self, told: &'a (dyn Fn(u32, u64) + Sync)) -> Self {
		Results { told, ..self }
	}

	/// Finds the result that `verdict` names.
	pub fn open(&self, subtask: u32, digest: &ResultDigest, round: Round) -> Result<Output<'a>> {
		if subtask >= self.manifest.subtasks {
			let count = self.manifest.subtasks.into();
			return Err(Error::OutOfRange { what: "subtask", number: subtask.into(), count });
		}
		let range = RangeIndex(subtask / self.manifest.range_size);
		let key = self.keys.scope(Scope::Range(range));
		Output::open(self.source, digest, &key, (range, round, subtask), self.limit)
	}

	/// Hands over the output of all of `verdicts` in their order: number and bytes, at least once
	/// for each that has a result. Results are fetched and opened on all cores. One that can't be read is a
	/// gap, maybe after the first part of its output.
	///
	/// # Errors
	///
	/// Those of `each`, of the store, and of a subtask that the task does not have.
	pub fn each(
		&self,
		verdicts: impl Iterator<Item = Verdict>,
		each: &mut dyn FnMut(u32, &[u8]) -> Result<()>,
	) -> Result<Joined> {
		let mut joined = Joined::default();
		let find = |Verdict { subtask, result }| {
			let Some((digest, round)) = result else {
				return Ok(vec![(subtask, Err(Gap::Undecided))]);
			};
			match self.open(subtask, &digest, round).and_then(Output::segments) {
				Ok(segments) => Ok(segments.into_iter().map(|it| (subtask, Ok(it))).collect()),
				Err(error) => Ok(vec![(subtask, Err(Gap::of(error)?))]),
			}
		};
		let open = |(subtask, segment): (u32, Found<'_>)| {
			let opened = match segment {
				Ok(segment) => open_segment(segment),
				Err(gap) => return Ok((subtask, Err(gap))),
			};
			match opened {
				Ok(opened) => Ok((subtask, Ok(opened))),
				Err(error) => Ok((subtask, Err(Gap::of(error)?))),
			}
		};
		// The subtask whose turn it is, and the last one that broke off: what is behind that is of no use.
		let (mut turn, mut broken) = (None, None);
		with_pool(|pool| {
			// The segments of all results are one stream, so that no core waits for the end of a result.
			let found = ordered(pool, verdicts.map(Ok), &find);
			let segments = found.flat_map(|found| match found {
				Ok(segments) => segments.into_iter().map(Ok).collect(),
				Err(error) => vec![Err(error)],
			});
			for opened in ordered(pool, segments, &open) {
				let (subtask, opened) = opened?;
				if broken == Some(subtask) {
					continue;
				}
				if turn.replace(subtask) != Some(subtask) {
					(self.told)(subtask, joined.bytes);
				}
				let (ending, content) = match opened {
					Ok(opened) => opened,
					Err(gap) => {
						broken = Some(subtask);
						joined.add(subtask, gap);
						continue;
					},
				};
				if let Some(ending) = ending.filter(|ending| *ending != Ending::Ok) {
					joined.add(subtask, Gap::Ended(ending));
				}
				let output = content.bytes();
				joined.bytes += output.len() as u64;
				each(subtask, output)?;
			}
			Ok(joined)
		})
	}

	/// Writes all output to one stream.
	pub fn concatenate(
		&self,
		verdicts: impl Iterator<Item = Verdict>,
		out: &mut dyn Write,
	) -> Result<Joined> {
		self.each(verdicts, &mut |_, bytes| out.write_all(bytes).map_err(Error::Stream))
	}

	/// Writes each output to a file below `folder`, which must be empty or not exist: named as the
	/// file that it was computed from, or by its number. Of a result that can't be read to its end no file
	/// is left.
	pub fn to_files(
		&self,
		verdicts: impl Iterator<Item = Verdict>,
		private: &Private,
		folder: &Path,
	) -> Result<Joined> {
		claim(folder)?;
		let digits = self.manifest.subtasks.saturating_sub(1).to_string().len();
		let place = |subtask: u32| -> Result<PathBuf> {
			let name = match private.files.get(subtask as usize) {
				Some(file) => file.path.clone(),
				None => format!("{subtask:0digits$}"),
			};
			below(folder, Path::new(&name))
		};
		let mut open: Option<(u32, File)> = None;
		let mut joined = self.each(verdicts, &mut |subtask, bytes| {
			let path = place(subtask)?;
			let failed = |source| Error::Write { path: path.clone(), source };
			let file = match open.take() {
				Some((number, file)) if number == subtask => file,
				_ => {
					if let Some(parent) = path.parent() {
						fs::create_dir_all(parent).map_err(failed)?;
					}
					File::create_new(&path).map_err(failed)?
				},
			};
			let (_, file) = open.insert((subtask, file));
			file.write_all(bytes).map_err(failed)
		})?;
		for (subtask, _) in joined.gaps.iter().filter(|(_, gap)| gap.is_broken()) {
			let path = place(*subtask)?;
			let removed = fs::metadata(&path).and_then(|file| {
				fs::remove_file(&path)?;
				Ok(file.len())
			});
			match removed {
				Ok(len) => joined.bytes = joined.bytes.saturating_sub(len),
				Err(error) if error.kind() == io::ErrorKind::NotFound => {},
				Err(source) => return Err(Error::Write { path, source }),
			}
		}
		Ok(joined)
	}
}
