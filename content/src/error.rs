//! What can go wrong, with the value that is wrong and what to do about it.

use std::{io, path::PathBuf};

use dgcs_primitives::ContentId;
use sp_core::H256;

use crate::{content_id::display, keys::Scope};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Why content could not be written, read or trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// A file or folder of the owner's cannot be read.
	#[error("cannot read {path}: {source}; check that it exists and that you may read it")]
	Read {
		/// Which one.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
	/// A file or folder cannot be written.
	#[error("cannot write {path}: {source}; check free space and permissions")]
	Write {
		/// Which one.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
	/// A stream that is no file of ours (a pipe, a socket) failed.
	#[error("the stream broke off: {0}")]
	Stream(#[source] io::Error),
	/// A file grew, shrank or vanished between its opening and its end.
	#[error("{path} changed while it was read: it had {expected} bytes, now {found}; try again when nothing writes to it")]
	Changed {
		/// Which file.
		path: PathBuf,
		/// Its length when it was opened.
		expected: u64,
		/// How many bytes came, or one more than expected if there are more.
		found: u64,
	},
	/// A file whose bytes were replaced between its opening and its end, as long as before.
	#[error("{path} was written to while it was read, so that what was read may be a mixture; try again when nothing writes to it")]
	Rewritten {
		/// Which file.
		path: PathBuf,
	},
	/// Neither a file nor a folder, or a link to something.
	#[error("{path} is {what}; only files and folders can be part of a task, so put a copy in its place")]
	NotAFile {
		/// Which entry.
		path: PathBuf,
		/// What it is instead.
		what: &'static str,
	},
	/// A name that is not UTF-8 would come back as another one on other systems.
	#[error("the name {path:?} is not valid UTF-8; rename it")]
	Name {
		/// The name.
		path: PathBuf,
	},
	/// A cut that the input does not allow.
	#[error("{0}")]
	Cut(CutError),

	/// The block store failed.
	#[error("the block store failed at {}: {source}; what is there already is kept, so try again", display(.id))]
	Store {
		/// The block in question.
		id: ContentId,
		/// What the store says.
		source: io::Error,
	},
	/// Nobody has the block.
	#[error("block {} is not to be found; its provider may be offline, so try again later", display(.0))]
	Missing(ContentId),
	/// A block came back with other bytes than its name says.
	#[error("block {} came back with other bytes, those of {}; ask another provider", display(.id), display(.found))]
	WrongBlock {
		/// What was asked for.
		id: ContentId,
		/// What came.
		found: ContentId,
	},
	/// More bytes than promised.
	#[error("{} has {found} bytes where at most {limit} are allowed; it is refused unread", display(.id))]
	TooLarge {
		/// What was asked for.
		id: ContentId,
		/// How many bytes it has or claims to have.
		found: u64,
		/// How many it may have.
		limit: u64,
	},
	/// Another number of bytes than promised.
	#[error("{} has {found} bytes, its owner promised {promised}", display(.id))]
	Length {
		/// What was asked for.
		id: ContentId,
		/// How many bytes it has or claims to have.
		found: u64,
		/// How many it must have.
		promised: u64,
	},
	/// A tree of blocks that does not add up.
	#[error("{} is no file tree of the expected form: {what}", display(.id))]
	Tree {
		/// The node in question.
		id: ContentId,
		/// What does not add up.
		what: &'static str,
	},
	/// A CID of a kind that DGCS does not store.
	#[error("{0} is no CIDv1 of raw or dag-pb with BLAKE3")]
	Cid(String),

	/// A sealed segment does not open: another task, another key, another place, or changed bytes.
	#[error(
		"{what} does not open with the key of {scope}: the bytes are of another task, place or key"
	)]
	Sealed {
		/// What was to be opened.
		what: String,
		/// Whose key was used.
		scope: Scope,
	},
	/// A manifest breaks a rule.
	#[error("the manifest is refused: {0}")]
	Manifest(ManifestError),
	/// The tree over a shard's leaves has another root than the manifest promises.
	#[error("shard {shard} has the Merkle root {found:?}, the manifest promises {expected:?}: its owner's commitment is wrong, don't store it")]
	ShardRoot {
		/// Which shard.
		shard: u32,
		/// The root in the manifest.
		expected: H256,
		/// The root over the bytes.
		found: H256,
	},
	/// An input's index points outside of the task's stream.
	#[error("the index of {scope} points to byte {end} of a stream of {len} bytes")]
	Index {
		/// Whose record.
		scope: Scope,
		/// Where its pieces would end.
		end: u64,
		/// How long the stream is.
		len: u64,
	},
	/// A subtask, range or shard that the task does not have.
	#[error("the task has {count} {what}s, so there is no {what} {number}")]
	OutOfRange {
		/// What is counted.
		what: &'static str,
		/// Which one was asked for.
		number: u64,
		/// How many there are.
		count: u64,
	},
	/// The decoding of something that opened well, and is still not what it should be.
	#[error("{what} cannot be decoded; it was written by another version, or is damaged")]
	Decode {
		/// What was to be decoded.
		what: &'static str,
	},

	/// An archive entry that would be written outside of its folder.
	#[error(
		"the archive has an entry {path:?} that would leave its folder; nothing of it is written"
	)]
	Escapes {
		/// The entry's name.
		path: PathBuf,
	},
	/// An archive with more than its owner said it has.
	#[error("the archive has more than {limit} {what}; the rest is not unpacked")]
	Bomb {
		/// What there is too much of.
		what: &'static str,
		/// How much there may be.
		limit: u64,
	},
	/// The place to write to is in use.
	#[error("{path} exists and is not empty; name a new folder")]
	NotEmpty {
		/// Which folder.
		path: PathBuf,
	},

	/// A share that its commitment in the manifest contradicts.
	#[error("masternode {holder} gave a wrong share of the key of {scope}; ask the others")]
	WrongShare {
		/// The giver's number in the manifest.
		holder: u8,
		/// Whose key.
		scope: Scope,
	},
	/// An owner that sealed other shares than it committed to.
	#[error("the shares sealed for masternode {holder} are not those that the manifest commits to: the task's owner is at fault, and no worker can be given them")]
	SharesRoot {
		/// The masternode's number in the manifest.
		holder: u8,
	},
	/// Too few shares to rebuild a key.
	#[error("{have} of the {need} shares of the key of {scope} are there; ask more masternodes")]
	TooFewShares {
		/// Whose key.
		scope: Scope,
		/// How many different ones are there.
		have: usize,
		/// The threshold.
		need: u8,
	},
	/// A sealed message that is not for this key, or of another task.
	#[error("{what} was not sealed to this key for this task, or was changed on the way")]
	Unsealable {
		/// What was to be unsealed.
		what: &'static str,
	},
	/// A public key that nothing can be sealed to.
	#[error("the encryption key {0:?} is no X25519 public key; its owner must register another")]
	PublicKey(H256),
	/// Too few or too many masternodes to share keys among.
	#[error("keys can be shared among 1 to 255 masternodes, not {0}")]
	Holders(usize),
}

/// Why an input cannot be cut as asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CutError {
	/// Pieces of nothing.
	#[error("a piece of 0 {0} is none; give a size above 0")]
	Zero(&'static str),
	/// More pieces than a task may have subtasks.
	#[error("the input makes more than {limit} subtasks; cut larger pieces")]
	TooMany {
		/// How many there may be.
		limit: u32,
	},
	/// More files, or longer names, than the private part lists.
	#[error("the names of the folder's files take more than {limit} bytes; cut it as one archive, or pack small files together")]
	TooManyFiles {
		/// How many bytes there may be.
		limit: u64,
	},
	/// Nothing to compute.
	#[error("the input is empty, so that there is no subtask; give a file with content, or cut by index")]
	Empty,
	/// Lines of a folder's archive would be lines of no file.
	#[error("a folder cannot be cut by lines; give a file, or cut by files")]
	LinesOfFolder,
	/// Files of a file.
	#[error("only a folder can be cut by files; give a folder, or cut by bytes or lines")]
	FilesOfFile,
	/// Shards of a size that the protocol does not have.
	#[error("shards of {0} bytes: allowed are 8 MiB to 32 MiB in steps of 256 KiB")]
	ShardSize(u32),
	/// Ranges of a size that the protocol does not have.
	#[error("ranges of {0} subtasks: allowed are 1 to 64")]
	RangeSize(u32),
	/// More arguments and environment than a manifest carries.
	#[error("arguments and environment take {0} bytes, at most 65536 are allowed; put them in the input")]
	Arguments(usize),
}

/// Which rule a manifest breaks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
	/// It does not start as a manifest does.
	#[error("it does not start with the mark of a version 1 manifest")]
	Mark,
	/// It ends early, has bytes to spare, or a field has no valid value.
	#[error("it is cut short or has bytes to spare ({0})")]
	Encoding(String),
	/// A shard size that the protocol does not have.
	#[error("its shards have {0} bytes; allowed are 8 MiB to 32 MiB in steps of 256 KiB")]
	ShardSize(u32),
	/// Numbers of subtasks that no task can have.
	#[error("it has {subtasks} subtasks in ranges of {range_size}")]
	Subtasks {
		/// Subtasks.
		subtasks: u32,
		/// Subtasks a range.
		range_size: u32,
	},
	/// An index of another length than the ranges need.
	#[error("its index has {found} bytes where its ranges need {expected}")]
	IndexSize {
		/// What the ranges need.
		expected: u64,
		/// What it says.
		found: u64,
	},
	/// More masternodes than Shamir's scheme has points for.
	#[error("it names {0} masternodes; at most 255 can share a key")]
	Holders(usize),
	/// One masternode twice: it alone could make up two shares.
	#[error("masternode {0:?} is named twice")]
	HolderTwice(H256),
	/// It belongs to another task: a field differs from the specification on the chain.
	#[error("its {field} is {found}, the chain has {expected}: it is another task's")]
	OtherTask {
		/// Which field.
		field: &'static str,
		/// What the chain has.
		expected: String,
		/// What the manifest has.
		found: String,
	},
	/// Arguments that are longer than any task's may be.
	#[error("its sealed job has {0} bytes, at most 65552 are allowed")]
	Job(usize),
}

impl From<CutError> for Error {
	fn from(error: CutError) -> Self {
		Error::Cut(error)
	}
}

impl From<ManifestError> for Error {
	fn from(error: ManifestError) -> Self {
		Error::Manifest(error)
	}
}

impl Error {
	/// Carries an error of ours through an interface that knows `io::Error` alone.
	pub(crate) fn into_io(self) -> io::Error {
		io::Error::other(self)
	}

	/// The inverse of [`Error::into_io`]; an error of the stream itself becomes `otherwise` of it.
	pub(crate) fn from_io(error: io::Error, otherwise: impl FnOnce(io::Error) -> Error) -> Error {
		match error.downcast::<Error>() {
			Ok(ours) => ours,
			Err(theirs) => otherwise(theirs),
		}
	}
}
