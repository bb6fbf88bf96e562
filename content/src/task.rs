//! From an owner's file or folder to a task's content, and back.

use std::{
	fs::File,
	io::{self, Read, Write},
	path::{Path, PathBuf},
	sync::{
		mpsc::{sync_channel, Receiver},
		Arc,
	},
};

use codec::Encode;
use dgcs_primitives::{ContentId, EncryptionKey, MAX_RANGE_SIZE};
use sp_core::H256;

use crate::{
	archive::{self, below, claim, is_executable, list, pack, unpack, write_file},
	block::{BlockSink, BlockSource},
	cut::{Cut, Cutter},
	error::{CutError, Error, Result},
	input::read_all,
	join::Join,
	keys::{OwnerSecret, Scope, SharesWriter, Sharing, TaskKeys, TaskNonce, Use},
	manifest::{is_shard_size, Holder, Job, Manifest, MAX_JOB},
	private::{FileEntry, Form, Header, Merge, Private, PrivateWriter},
	shard::write_shards,
	steady::Steady,
	tree::{Blob, BlobWriter, Leaves},
};

/// What a task computes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
	/// Nothing but each subtask's number.
	Nothing,
	/// A file.
	File(PathBuf),
	/// A folder.
	Folder(PathBuf),
}

impl Input {
	/// The file or folder at `path`.
	pub fn at(path: impl Into<PathBuf>) -> Result<Self> {
		let path = path.into();
		match std::fs::metadata(&path) {
			Ok(metadata) if metadata.is_file() => Ok(Input::File(path)),
			Ok(metadata) if metadata.is_dir() => Ok(Input::Folder(path)),
			Ok(_) => Err(Error::NotAFile { path, what: "a device, pipe or socket" }),
			Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
				Err(Error::NotAFile { path, what: "a symbolic link to nothing" })
			},
			Err(source) => Err(Error::Read { path, source }),
		}
	}

	fn name(&self) -> Result<String> {
		let (Input::File(path) | Input::Folder(path)) = self else { return Ok(String::new()) };
		let name = path.file_name().map_or(Some(""), |name| name.to_str());
		name.map(str::to_owned).ok_or_else(|| Error::Name { path: path.clone() })
	}

	fn form(&self, cut: Cut) -> Result<Form> {
		match (self, cut) {
			(Input::Nothing, Cut::Index(_)) => Ok(Form::Nothing),
			(Input::Nothing, _) => Err(CutError::Empty.into()),
			(Input::File(_), Cut::Files) => Err(CutError::FilesOfFile.into()),
			(Input::File(_), _) => Ok(Form::File),
			(Input::Folder(_), Cut::Lines(_)) => Err(CutError::LinesOfFolder.into()),
			(Input::Folder(_), Cut::Files) => Ok(Form::Files),
			(Input::Folder(_), _) => Ok(Form::Archive),
		}
	}
}

/// A masternode that keys are to be shared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masternode {
	/// Its account.
	pub account: H256,
	/// Its registered encryption key.
	pub key: EncryptionKey,
}

/// How a task is made of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
	/// How the input becomes subtasks.
	pub cut: Cut,
	/// How the results become a solution.
	pub join: Join,
	/// How a second task merges them, once they are joined to one stream.
	pub merge: Option<Merge>,
	/// How many subtasks are leased together. 1 to 64.
	pub range_size: u32,
	/// Bytes in a shard. 8 to 32 MiB in steps of 256 KiB.
	pub shard_size: u32,
	/// The program, put before.
	pub program: Blob,
	/// Its arguments.
	pub arguments: Vec<String>,
	/// Its environment.
	pub environment: Vec<(String, String)>,
	/// Who shares the keys. None: nobody but the owner will read the data.
	pub masternodes: Vec<Masternode>,
}

/// A task whose content is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
	/// The manifest's name, for the task's specification.
	pub id: ContentId,
	/// The manifest.
	pub manifest: Manifest,
	/// How many bytes the input has.
	pub input_len: u64,
}

/// Reads `input`, and puts all of a task's content to `sink`: encrypted shards, index, key shares,
/// private part, and the manifest that names them. `progress` is told how many bytes of the input
/// were read since it was last told.
///
/// The same input, plan, secret and nonce give the same shards, so that what an interrupted run has
/// put need not be put again. Memory stays below 256 MiB whatever the size.
pub fn prepare(
	input: &Input,
	plan: &Plan,
	secret: &OwnerSecret,
	nonce: TaskNonce,
	sink: &dyn BlockSink,
	progress: &mut dyn FnMut(u64),
) -> Result<Prepared> {
	let Plan { cut, join, range_size, shard_size, .. } = *plan;
	if !is_shard_size(shard_size) {
		return Err(CutError::ShardSize(shard_size).into());
	}
	if !(1..=MAX_RANGE_SIZE).contains(&range_size) {
		return Err(CutError::RangeSize(range_size).into());
	}
	let form = input.form(cut)?;
	let keys = secret.task(&nonce);
	let header = Header { name: input.name()?, form, cut, join, merge: plan.merge.clone() };
	let mut private = PrivateWriter::new(sink, &keys, &header)?;
	let padding = keys.scope(Scope::Owner).cipher(Use::Padding);
	let (pieces, shards) = write_shards(shard_size, sink, padding, |shards| {
		let mut cutter = Cutter::new(shards, &keys, sink, (cut, range_size), progress)?;
		read_input(input, form, &mut cutter, &mut private)?;
		cutter.finish()
	})?;
	let private = private.finish(pieces.total)?;
	let job = Job {
		arguments: plan.arguments.clone(),
		environment: plan.environment.clone(),
		shared_input: pieces.index.is_none().then_some(pieces.total),
	};
	let job_size = job.encoded_size();
	if job_size > MAX_JOB {
		return Err(CutError::Arguments(job_size).into());
	}
	let mut manifest = Manifest {
		nonce,
		program: plan.program,
		job: job.seal(&keys.scope(Scope::Task)),
		subtasks: pieces.subtasks,
		range_size,
		shard_size,
		shards,
		index: pieces.index,
		holders: Vec::new(),
		private,
	};
	manifest.holders = share_keys(&keys, &manifest, &plan.masternodes, sink)?;
	let id = manifest.put(sink)?;
	Ok(Prepared { id, manifest, input_len: pieces.total })
}

fn read_input(
	input: &Input,
	form: Form,
	cutter: &mut Cutter<'_, '_, '_, '_>,
	private: &mut PrivateWriter<'_>,
) -> Result<()> {
	match input {
		Input::Nothing => Ok(()),
		Input::File(path) => cutter.pull(&Arc::new(Steady::open(path)?)),
		Input::Folder(folder) if form == Form::Archive => pack(folder, cutter),
		Input::Folder(folder) => list(folder).try_for_each(|found| {
			let archive::Found { path, name, metadata } = found?;
			if metadata.is_dir() {
				return Ok(());
			}
			let file = Arc::new(Steady::open(&path)?);
			cutter.begin()?;
			cutter.pull(&file)?;
			cutter.end()?;
			let len = file.len();
			let executable = is_executable(&metadata);
			private.entry(FileEntry { path: name, len, executable })
		}),
	}
}

/// Splits the key of every scope among the masternodes, and seals each one's shares to it.
fn share_keys(
	keys: &TaskKeys,
	manifest: &Manifest,
	masternodes: &[Masternode],
	sink: &dyn BlockSink,
) -> Result<Vec<Holder>> {
	if masternodes.is_empty() {
		return Ok(Vec::new());
	}
	let sharing = Sharing::over_half_of(masternodes.len())?;
	let mut writers = (0u8..)
		.zip(masternodes)
		.map(|(number, masternode)| {
			let out = BlobWriter::new(sink, Leaves::Raw);
			SharesWriter::new(out, &masternode.key, &manifest.nonce, number)
		})
		.collect::<Result<Vec<_>>>()?;
	for position in 0..manifest.shared_keys() {
		let shares = sharing.split(&keys.scope(Scope::at(position)));
		for (writer, share) in writers.iter_mut().zip(&shares) {
			writer.push(share)?;
		}
	}
	let holders = masternodes.iter().zip(writers).map(|(masternode, writer)| {
		let (out, shares_root) = writer.finish()?;
		let Masternode { account, key } = *masternode;
		Ok(Holder { account, key, shares: out.finish()?, shares_root })
	});
	holders.collect()
}

/// Puts the input of a task back into `folder`, which must be empty or not exist, under the names
/// it had. Every byte is checked; what is not the owner's own is refused.
pub fn restore(
	source: &dyn BlockSource,
	manifest: &Manifest,
	secret: &OwnerSecret,
	folder: &Path,
) -> Result<()> {
	let keys = secret.task(&manifest.nonce);
	let private = Private::get(source, manifest, &keys)?;
	let name = if private.header.name.is_empty() { "input" } else { &private.header.name };
	let path = below(folder, Path::new(name))?;
	match private.header.form {
		Form::Nothing => claim(folder),
		Form::File => {
			claim(folder)?;
			write_file(&path, false, None, |file| {
				let mut file = io::BufWriter::with_capacity(1 << 20, file);
				read_all(source, manifest, &keys, &mut |_, bytes| {
					file.write_all(bytes).map_err(|error| failed_write(&path, error))
				})
				.map_err(Error::into_io)?;
				file.flush().map(|()| private.input_len)
			})
		},
		Form::Archive => restore_archive(source, manifest, &keys, &path, private.input_len),
		Form::Files => restore_files(source, manifest, &keys, &path, &private.files),
	}
}

fn failed_write(path: &Path, source: io::Error) -> Error {
	Error::Write { path: path.to_owned(), source }
}

fn restore_archive(
	source: &dyn BlockSource,
	manifest: &Manifest,
	keys: &TaskKeys,
	folder: &Path,
	limit: u64,
) -> Result<()> {
	std::thread::scope(|threads| {
		let (sender, receiver) = sync_channel(4);
		let unpacking = threads.spawn(move || {
			let mut pipe = Pipe { receiver, bytes: Vec::new(), at: 0 };
			unpack(&mut pipe, folder, limit)?;
			// What pads the archive's end.
			io::copy(&mut pipe, &mut io::sink()).map_err(Error::Stream)?;
			Ok(())
		});
		let read = read_all(source, manifest, keys, &mut |_, bytes| {
			let gone = |_| Error::Stream(io::ErrorKind::BrokenPipe.into());
			sender.send(bytes.to_vec()).map_err(gone)
		});
		drop(sender);
		let unpacked = unpacking
			.join()
			.unwrap_or_else(|_| Err(Error::Stream(io::Error::other("unpacking panicked"))));
		match (read, unpacked) {
			// The pipe broke because unpacking gave up: its reason is the one.
			(Err(Error::Stream(_)), Err(error)) => Err(error),
			(Err(error), _) | (_, Err(error)) => Err(error),
			(Ok(()), Ok(())) => Ok(()),
		}
	})
}

/// The reading end of a channel of bytes.
struct Pipe {
	receiver: Receiver<Vec<u8>>,
	bytes: Vec<u8>,
	at: usize,
}

impl Read for Pipe {
	fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
		while self.at == self.bytes.len() {
			match self.receiver.recv() {
				Ok(bytes) => (self.bytes, self.at) = (bytes, 0),
				Err(_) => return Ok(0),
			}
		}
		let taken = buffer.len().min(self.bytes.len() - self.at);
		buffer[..taken].copy_from_slice(&self.bytes[self.at..self.at + taken]);
		self.at += taken;
		Ok(taken)
	}
}

fn restore_files(
	source: &dyn BlockSource,
	manifest: &Manifest,
	keys: &TaskKeys,
	folder: &Path,
	files: &[FileEntry],
) -> Result<()> {
	claim(folder)?;
	let paths: Vec<PathBuf> =
		files.iter().map(|file| below(folder, Path::new(&file.path))).collect::<Result<_>>()?;
	// First all files, empty; then the bytes of those that have any, one after the other.
	for (path, file) in paths.iter().zip(files) {
		write_file(path, file.executable, None, |_| Ok(0))?;
	}
	let mut open: Option<(u32, File)> = None;
	read_all(source, manifest, keys, &mut |subtask, bytes| {
		let path = paths.get(subtask as usize).ok_or(Error::OutOfRange {
			what: "file",
			number: subtask.into(),
			count: paths.len() as u64,
		})?;
		let failed = |error| failed_write(path, error);
		let file = match open.take() {
			Some((number, file)) if number == subtask => file,
			_ => File::options().append(true).open(path).map_err(failed)?,
		};
		let (_, file) = open.insert((subtask, file));
		file.write_all(bytes).map_err(failed)
	})
}
