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
	result::{Ending, Output},
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

/// A result on its way: read already, or too large for that.
enum Found<'a> {
	Gap,
	Read(Ending, Vec<u8>),
	Large(Output<'a>),
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
			let Some((digest, round)) = result else { return Ok((subtask, Found::Gap)) };
			let output = self.open(subtask, &digest, round)?;
			if !output.is_small() {
				return Ok((subtask, Found::Large(output)));
			}
			let mut bytes = Vec::new();
			let ending = output.read_here(&mut |part| {
				bytes.extend_from_slice(part);
				Ok(())
			})?;
			Ok((subtask, Found::Read(ending, bytes)))
		};
		ordered(verdicts.map(Ok), find, |(subtask, found)| {
			let mut count = |bytes: &[u8]| {
				joined.bytes += bytes.len() as u64;
				each(subtask, bytes)
			};
			let gap = match found {
				Found::Gap => Some(Gap::Undecided),
				Found::Read(ending, bytes) => {
					count(&bytes)?;
					Some(ending).filter(|ending| *ending != Ending::Ok).map(Gap::Ended)
				},
				Found::Large(output) => {
					let ending = output.read(&mut count)?;
					Some(ending).filter(|ending| *ending != Ending::Ok).map(Gap::Ended)
				},
			};
			joined.gaps.extend(gap.map(|gap| (subtask, gap)));
			Ok(())
		})?;
		Ok(joined)
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
