//! Joining results into a solution: one after the other in one stream, or each as a file. What is
//! not there, or did not end well, is reported and never silently left out.

use std::{fs::File, io::Write, path::Path};

use codec::{Decode, Encode};
use dgcs_primitives::{RangeIndex, ResultDigest, Round};

use crate::{
	archive::{below, claim},
	block::BlockSource,
	error::{Error, Result},
	keys::{Scope, TaskKeys},
	manifest::Manifest,
	pool::ordered,
	private::Private,
	result::{split, Ending, Output},
	sealed::Segment,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
	/// No majority agreed on a result.
	Undecided,
	/// The program ended so. Its output up to there is part of the solution.
	Ended(Ending),
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

/// Reads results of one task as its owner.
#[derive(Clone, Copy)]
pub struct Results<'a> {
	source: &'a dyn BlockSource,
	manifest: &'a Manifest,
	keys: &'a TaskKeys,
	limit: u64,
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
		Results { source, manifest, keys, limit }
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
	/// for each that has a result. Results are fetched and opened on all cores.
	pub fn each(
		&self,
		verdicts: impl Iterator<Item = Verdict>,
		each: &mut dyn FnMut(u32, &[u8]) -> Result<()>,
	) -> Result<Joined> {
		let mut joined = Joined::default();
		let find = |Verdict { subtask, result }| {
			let Some((digest, round)) = result else { return Ok(vec![(subtask, None)]) };
			let segments = self.open(subtask, &digest, round)?.segments()?;
			Ok(segments.into_iter().map(|segment| (subtask, Some(segment))).collect())
		};
		let open = |(subtask, segment): (u32, Option<Segment<'_>>)| {
			let Some(segment) = segment else { return Ok((subtask, None)) };
			Ok((subtask, Some((segment.is_first(), segment.open()?))))
		};
		rayon::in_place_scope(|pool| {
			// The segments of all results are one stream, so that no core waits for the end of a result.
			let found = ordered(pool, verdicts.map(Ok), &find);
			let segments = found.flat_map(|found| match found {
				Ok(segments) => segments.into_iter().map(Ok).collect(),
				Err(error) => vec![Err(error)],
			});
			for opened in ordered(pool, segments, &open) {
				let (subtask, opened) = opened?;
				let Some((is_first, content)) = opened else {
					joined.gaps.push((subtask, Gap::Undecided));
					continue;
				};
				let mut output = content.bytes();
				if is_first {
					let (ending, behind) = split(output)?;
					output = behind;
					if ending != Ending::Ok {
						joined.gaps.push((subtask, Gap::Ended(ending)));
					}
				}
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
	/// file that it was computed from, or by its number.
	pub fn to_files(
		&self,
		verdicts: impl Iterator<Item = Verdict>,
		private: &Private,
		folder: &Path,
	) -> Result<Joined> {
		claim(folder)?;
		let digits = self.manifest.subtasks.saturating_sub(1).to_string().len();
		let mut open: Option<(u32, File)> = None;
		self.each(verdicts, &mut |subtask, bytes| {
			let name = match private.files.get(subtask as usize) {
				Some(file) => file.path.clone(),
				None => format!("{subtask:0digits$}"),
			};
			let path = below(folder, Path::new(&name))?;
			let failed = |source| Error::Write { path: path.clone(), source };
			let file = match open.take() {
				Some((number, file)) if number == subtask => file,
				_ => {
					if let Some(parent) = path.parent() {
						std::fs::create_dir_all(parent).map_err(failed)?;
					}
					File::create_new(&path).map_err(failed)?
				},
			};
			let (_, file) = open.insert((subtask, file));
			file.write_all(bytes).map_err(failed)
		})
	}
}
