//! Names, types and numbers of WASI preview 1.
//!
//! Source: `wasi_snapshot_preview1.witx` and its generated documentation, WebAssembly/WASI.

/// The module that programs import from.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// Every function with its parameters: `i` for 32 bits, `I` for 64. All return 32 bits, but for
/// `proc_exit`, which never returns.
pub(super) const FUNCTIONS: &[(&str, &str)] = &[
	("args_get", "ii"),
	("args_sizes_get", "ii"),
	("clock_res_get", "ii"),
	("clock_time_get", "iIi"),
	("environ_get", "ii"),
	("environ_sizes_get", "ii"),
	("fd_advise", "iIIi"),
	("fd_allocate", "iII"),
	("fd_close", "i"),
	("fd_datasync", "i"),
	("fd_fdstat_get", "ii"),
	("fd_fdstat_set_flags", "ii"),
	("fd_fdstat_set_rights", "iII"),
	("fd_filestat_get", "ii"),
	("fd_filestat_set_size", "iI"),
	("fd_filestat_set_times", "iIIi"),
	("fd_pread", "iiiIi"),
	("fd_prestat_dir_name", "iii"),
	("fd_prestat_get", "ii"),
	("fd_pwrite", "iiiIi"),
	("fd_read", "iiii"),
	("fd_readdir", "iiiIi"),
	("fd_renumber", "ii"),
	("fd_seek", "iIii"),
	("fd_sync", "i"),
	("fd_tell", "ii"),
	("fd_write", "iiii"),
	("path_create_directory", "iii"),
	("path_filestat_get", "iiiii"),
	("path_filestat_set_times", "iiiiIIi"),
	("path_link", "iiiiiii"),
	("path_open", "iiiiiIIii"),
	("path_readlink", "iiiiii"),
	("path_remove_directory", "iii"),
	("path_rename", "iiiiii"),
	("path_symlink", "iiiii"),
	("path_unlink_file", "iii"),
	("poll_oneoff", "iiii"),
	("proc_exit", "i"),
	("proc_raise", "i"),
	("random_get", "ii"),
	("sched_yield", ""),
	("sock_accept", "iii"),
	("sock_recv", "iiiiii"),
	("sock_send", "iiiii"),
	("sock_shutdown", "ii"),
];

/// The parameters of a function, as in [`FUNCTIONS`]. `None`: there is no such function.
pub(crate) fn signature_of(name: &str) -> Option<std::str::Chars<'static>> {
	FUNCTIONS.iter().find(|(other, _)| *other == name).map(|(_, params)| params.chars())
}

/// Whether a function returns a number.
pub(crate) fn result_of(name: &str) -> bool {
	name != "proc_exit"
}

/// What a function answers, as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Errno {
	/// Done.
	Success = 0,
	/// No such file descriptor.
	Badf = 8,
	/// An address outside of memory.
	Fault = 21,
	/// An argument that makes no sense.
	Inval = 28,
	/// No such function.
	Nosys = 52,
	/// Not a socket.
	Notsock = 57,
	/// A stream has no positions.
	Spipe = 70,
	/// The file descriptor is open, and not for that.
	Notcapable = 76,
}

/// Functions for which there is nothing in a sandbox, and what they answer. There are no directories
/// and no sockets, and what is written is never lost before the end.
pub(super) const UNAVAILABLE: &[(&str, Errno)] = &[
	("fd_advise", Errno::Spipe),
	("fd_allocate", Errno::Spipe),
	("fd_datasync", Errno::Success),
	("fd_fdstat_set_flags", Errno::Success),
	("fd_fdstat_set_rights", Errno::Success),
	("fd_filestat_set_size", Errno::Inval),
	("fd_filestat_set_times", Errno::Inval),
	("fd_pread", Errno::Spipe),
	("fd_prestat_dir_name", Errno::Badf),
	("fd_prestat_get", Errno::Badf),
	("fd_pwrite", Errno::Spipe),
	("fd_readdir", Errno::Badf),
	("fd_seek", Errno::Spipe),
	("fd_sync", Errno::Success),
	("fd_tell", Errno::Spipe),
	("path_create_directory", Errno::Badf),
	("path_filestat_get", Errno::Badf),
	("path_filestat_set_times", Errno::Badf),
	("path_link", Errno::Badf),
	("path_open", Errno::Badf),
	("path_readlink", Errno::Badf),
	("path_remove_directory", Errno::Badf),
	("path_rename", Errno::Badf),
	("path_symlink", Errno::Badf),
	("path_unlink_file", Errno::Badf),
	("proc_raise", Errno::Nosys),
	("sock_accept", Errno::Notsock),
	("sock_recv", Errno::Notsock),
	("sock_send", Errno::Notsock),
	("sock_shutdown", Errno::Notsock),
];

/// A clock that shows the time of day.
pub(super) const REALTIME: u32 = 0;
/// The last clock that there is: monotonic, process time and thread time are 1 to 3.
pub(super) const LAST_CLOCK: u32 = 3;

/// `filetype.unknown`: neither a terminal nor a file that has positions.
pub(super) const FILETYPE_UNKNOWN: u8 = 0;
/// `rights.fd_read`.
pub(super) const RIGHT_READ: u64 = 1 << 1;
/// `rights.fd_write`.
pub(super) const RIGHT_WRITE: u64 = 1 << 6;
/// `rights.poll_fd_readwrite`.
pub(super) const RIGHT_POLL: u64 = 1 << 27;

/// `subclockflags.subscription_clock_abstime`.
pub(super) const ABSOLUTE_TIME: u16 = 1;
/// `eventtype.clock`, as a subscription and as an event.
pub(super) const EVENT_CLOCK: u8 = 0;
/// `eventtype.fd_read`.
pub(super) const EVENT_READ: u8 = 1;
/// `eventtype.fd_write`.
pub(super) const EVENT_WRITE: u8 = 2;
