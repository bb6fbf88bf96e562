//! What can go wrong, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

use dgcs_content::content_id::display;
use dgcs_primitives::ContentId;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// Two processes with one directory.
	#[error("{path} is in use by another process; stop that one, or give this one a directory of its own")]
	Locked {
		/// The directory.
		path: PathBuf,
	},
	/// A file of the store could not be read or written.
	#[error("{path}: {source}; check the disk, and that the directory belongs to this user")]
	File {
		/// Which.
		path: PathBuf,
		/// Why.
		source: io::Error,
	},
	/// The index of blocks could not be read or written.
	#[error("the index of blocks: {0}; check the disk. If it is damaged, remove the file `index` and start again: blocks are found anew, pins are not")]
	Index(Box<redb::Error>),
	/// An earlier write failed, and nothing is taken since.
	#[error("blocks could not be brought to disk ({0}); check the disk, and start again")]
	Broken(String),
	/// All room is taken by blocks that must be kept.
	#[error("the store is full: {used} of {capacity} bytes are taken by blocks that must be kept, and {needed} more are needed; give it more room (--store-capacity, or disk_gib of a worker), or end tasks that are no longer needed")]
	Full {
		/// Bytes on disk.
		used: u64,
		/// Bytes that may be on disk.
		capacity: u64,
		/// Bytes that were to be added.
		needed: u64,
	},
	/// A block that no IPFS peer would carry.
	#[error("a block of {found} bytes; blocks have at most {limit}")]
	BlockSize {
		/// What it has.
		found: usize,
		/// What it may have.
		limit: usize,
	},
	/// A block that nobody who was asked has.
	#[error("block {} is not here, and none of the peers asked has it; connect to a peer that has it, or try again later", display(.0))]
	Missing(ContentId),
	/// A tree with more blocks than its length allows.
	#[error("the tree {} has more than {limit} blocks, more than its promised length needs; it is not what its owner says", display(.root))]
	TreeSize {
		/// Its root.
		root: ContentId,
		/// How many it may have.
		limit: usize,
	},
	/// A block that should be a node of a tree, and is not.
	#[error("block {} is no node of a tree: {reason}", display(.id))]
	Node {
		/// The block.
		id: ContentId,
		/// What is wrong with it.
		reason: String,
	},
	/// A block is not what its name says.
	#[error(transparent)]
	Content(#[from] dgcs_content::Error),
	/// The key of this peer is damaged.
	#[error("{path} does not hold a peer's key of 32 bytes; restore it, or remove it to get another name")]
	Identity {
		/// The file.
		path: PathBuf,
	},
	/// An address nobody can be dialled at.
	#[error("{address}: {reason}; an address looks like /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…")]
	Address {
		/// The address.
		address: String,
		/// What is wrong with it.
		reason: String,
	},
	/// The network part did not start.
	#[error("the IPFS peer did not start: {0}; check that nobody else listens at the address")]
	Network(String),
	/// Nobody answers at an address.
	#[error("no connection to {address}: {reason}")]
	Unreachable {
		/// The address.
		address: String,
		/// Why.
		reason: String,
	},
	/// Something took longer than it may.
	#[error("{what} took longer than {limit:?}; check the network, and try again")]
	Timeout {
		/// What.
		what: String,
		/// What it may take.
		limit: Duration,
	},
	/// Nobody on the network took a provider record.
	#[error("nobody took the record that {} is here; connect to a peer first", display(.0))]
	NotProvided(ContentId),
	/// The Kubo daemon can't be reached, or answers something else than it should.
	#[error(
		"the Kubo daemon at {url}: {reason}; check that `ipfs daemon` runs there, and its address"
	)]
	Kubo {
		/// Its address.
		url: String,
		/// What is wrong.
		reason: String,
	},
	/// The Kubo daemon won't do what it was asked.
	#[error("the Kubo daemon at {url} refuses: {reason}; see its log, and that its disk has room")]
	Refused {
		/// Its address.
		url: String,
		/// What it says.
		reason: String,
	},
	/// A store of a version that wrote other records.
	#[error("{path} was written by another version, which kept blocks in another form ({found}, and this one has {known}); remove it, or give another directory")]
	Format {
		/// The directory.
		path: PathBuf,
		/// The form that it has.
		found: u32,
		/// That of this version.
		known: u32,
	},
	/// After [`Store::shutdown`](crate::Store::shutdown).
	#[error("the store was shut down")]
	Closed,
}

impl Error {
	/// Carries the error through an interface that knows `io::Error` alone. Its kind says whether there is no
	/// room, whether something took too long, or nobody has it.
	pub fn into_io(self) -> io::Error {
		let kind = match &self {
			Error::Full { .. } => io::ErrorKind::StorageFull,
			// The daemon says so in words alone.
			Error::Refused { reason, .. } if reason.contains("no space left") => {
				io::ErrorKind::StorageFull
			},
			Error::Timeout { .. } => io::ErrorKind::TimedOut,
			Error::Missing(_) => io::ErrorKind::NotFound,
			_ => io::ErrorKind::Other,
		};
		io::Error::new(kind, self)
	}
}

/// Names the file that an input or output error is about.
pub(crate) fn at(path: &std::path::Path) -> impl FnOnce(io::Error) -> Error + '_ {
	move |source| Error::File { path: path.into(), source }
}

macro_rules! from_redb {
	($($error:ident),*) => {
		$(impl From<redb::$error> for Error {
			fn from(error: redb::$error) -> Self {
				Error::Index(Box::new(error.into()))
			}
		})*
	};
}

from_redb!(CommitError, StorageError, TableError, TransactionError, SetDurabilityError);
