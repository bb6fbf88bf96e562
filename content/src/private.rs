//! The private part: names, sizes and structure of the owner's files, and how its task was cut and
//! is to be joined. Sealed for the owner, so that its backup phrase and the chain are enough to put
//! everything back where it was.

use std::io::Write;

use codec::{Decode, Encode};
use dgcs_primitives::SubtaskLimits;

use crate::{
	block::{BlockSink, BlockSource},
	cut::Cut,
	error::{CutError, Error, Result},
	join::Join,
	keys::{Scope, TaskKeys, Use},
	manifest::Manifest,
	sealed::{Sealed, SealedWriter},
	tree::{Blob, Leaves},
};

const WHAT: &str = "the private part";
/// The most bytes of a name or path.
const MAX_NAME: usize = 1 << 16;
/// The most bytes of all of it, since who reads it has all of it in memory: about a million files.
const MAX_PRIVATE: u64 = 64 << 20;

/// What the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Form {
	/// There is none.
	Nothing,
	/// A file as it is.
	File,
	/// A folder, as one archive.
	Archive,
	/// A folder, each file as the piece of one subtask.
	Files,
}

/// The step that merges a task's results: a task of its own. Its program and environment are this task's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Merge {
	/// The program's arguments.
	pub arguments: Vec<String>,
	/// What it may use.
	pub limits: SubtaskLimits,
}

/// What is known before the input is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
	/// The file's or folder's own name.
	pub name: String,
	/// What it is.
	pub form: Form,
	/// How it is cut.
	pub cut: Cut,
	/// How the results are joined.
	pub join: Join,
	/// How the one stream that they are joined to is merged. `None`: it is the solution, or each result
	/// is a file.
	pub merge: Option<Merge>,
}

/// How a header's join and merge are written: as one, since files are not merged.
#[derive(Encode, Decode)]
enum Joining {
	Concatenate,
	Files,
	Merge(Merge),
}

impl Encode for Header {
	fn encode(&self) -> Vec<u8> {
		let joining = match (&self.merge, self.join) {
			(Some(merge), _) => Joining::Merge(merge.clone()),
			(None, Join::Concatenate) => Joining::Concatenate,
			(None, Join::Files) => Joining::Files,
		};
		(&self.name, self.form, self.cut, joining).encode()
	}
}

impl Decode for Header {
	fn decode<I: codec::Input>(input: &mut I) -> std::result::Result<Self, codec::Error> {
		let (name, form, cut, joining) = Decode::decode(input)?;
		let (join, merge) = match joining {
			Joining::Concatenate => (Join::Concatenate, None),
			Joining::Files => (Join::Files, None),
			Joining::Merge(merge) => (Join::Concatenate, Some(merge)),
		};
		Ok(Header { name, form, cut, join, merge })
	}
}

/// A file that is the piece of one subtask. They are in the order of the subtasks.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct FileEntry {
	/// Its path below the folder, with slashes.
	pub path: String,
	/// Its length in bytes.
	pub len: u64,
	/// Whether it may be run.
	pub executable: bool,
}

/// Writes the private part while the input is read.
pub(crate) struct PrivateWriter<'a> {
	out: SealedWriter<'a>,
	len: u64,
}

impl<'a> PrivateWriter<'a> {
	pub fn new(sink: &'a dyn BlockSink, keys: &TaskKeys, header: &Header) -> Result<Self> {
		let cipher = keys.scope(Scope::Owner).cipher(Use::Private);
		let out = SealedWriter::new(sink, Leaves::Raw, cipher, 0);
		let mut writer = PrivateWriter { out, len: 0 };
		writer.write(header)?;
		Ok(writer)
	}

	fn write(&mut self, value: &impl Encode) -> Result<()> {
		let bytes = value.encode();
		self.len += bytes.len() as u64;
		if self.len > MAX_PRIVATE {
			return Err(CutError::TooManyFiles { limit: MAX_PRIVATE }.into());
		}
		self.out.write_all(&bytes).map_err(|error| Error::from_io(error, Error::Stream))
	}

	pub fn entry(&mut self, entry: FileEntry) -> Result<()> {
		self.write(&Some(entry))
	}

	/// Ends it with the length of the whole input.
	pub fn finish(mut self, input_len: u64) -> Result<Blob> {
		self.write(&None::<FileEntry>)?;
		self.write(&input_len)?;
		self.out.finish()
	}
}

/// The private part, read by its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
	/// What was known before the input was read.
	pub header: Header,
	/// The files, if each is the piece of one subtask.
	pub files: Vec<FileEntry>,
	/// The length of the whole input in bytes.
	pub input_len: u64,
}

impl Private {
	/// Gets the private part of the task with these keys.
	pub fn get(source: &dyn BlockSource, manifest: &Manifest, keys: &TaskKeys) -> Result<Self> {
		let cipher = keys.scope(Scope::Owner).cipher(Use::Private);
		let about = (0, Scope::Owner, WHAT);
		let limit = manifest.private.len.min(MAX_PRIVATE);
		let sealed = Sealed::open(source, &manifest.private.id, limit, cipher, about)?;
		let mut bytes = Vec::new();
		sealed.read(&mut |part| {
			bytes.extend_from_slice(part);
			Ok(())
		})?;
		Self::decode(&bytes)
	}

	fn decode(bytes: &[u8]) -> Result<Self> {
		let refused = || Error::Decode { what: WHAT };
		let mut input = bytes;
		let header = Header::decode(&mut input).map_err(|_| refused())?;
		let mut files = Vec::new();
		while let Some(entry) = Option::<FileEntry>::decode(&mut input).map_err(|_| refused())? {
			files.push(entry);
		}
		let input_len = u64::decode(&mut input).map_err(|_| refused())?;
		let whole = input.is_empty();
		let named = files.iter().all(|file| file.path.len() <= MAX_NAME);
		(whole && named).then_some(Private { header, files, input_len }).ok_or_else(refused)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn header(join: Join, merge: Option<Merge>) -> Header {
		Header { name: "n".into(), form: Form::File, cut: Cut::Index(3), join, merge }
	}

	#[test]
	fn headers_say_how_results_are_joined() {
		let limits = SubtaskLimits { time_ms: 1, memory_mib: 2, fuel: 3 };
		let merge = Merge { arguments: vec!["join".into()], limits };
		let start = [4, b'n', 1, 3, 3, 0, 0, 0];
		let merged =
			[2, 4, 16, b'j', b'o', b'i', b'n', 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
		for (header, end) in [
			(header(Join::Concatenate, None), &[0][..]),
			(header(Join::Files, None), &[1]),
			(header(Join::Concatenate, Some(merge)), &merged),
		] {
			let bytes = [&start[..], end].concat();
			assert_eq!(header.encode(), bytes);
			assert_eq!(Header::decode(&mut &*bytes), Ok(header));
		}
		assert!(Header::decode(&mut &[&start[..], &[3]].concat()[..]).is_err());
	}
}
