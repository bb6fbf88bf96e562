//! The commands `dgcs task` and `dgcs account`: what can be typed, and how it is answered. The work is
//! done by the rest of this crate, which prints nothing.

mod account;
mod args;
mod attempt;
mod context;
mod desk;
mod exit;
mod flags;
mod merge;
mod output;
mod plan;
mod render;
mod task;

pub use args::{AccountCommand, Common, Format, TaskCommand};
pub use context::secret;
pub use exit::{CommandError, Exit, EXIT_CODES};

use std::{future::Future, time::Duration};

use flags::Flags;
use output::Output;

/// How long a command that was interrupted may take to bring its store to disk.
const GRACE: Duration = Duration::from_secs(10);

impl TaskCommand {
	/// Does what was typed, to its end or to Ctrl-C. Says everything itself, errors as well.
	pub fn run(&self) -> Exit {
		let flags = self.flags(&|name| std::env::var(name).ok());
		let output = Output::new(self.common().output).with(flags);
		drive(&output, task::run(self, &output))
	}

	/// What the commands that this one names need of what was given to it.
	fn flags(&self, env: flags::Variables<'_>) -> Flags {
		let flags = Flags::of(self.common(), env);
		let (chain, signer, store) = match self {
			TaskCommand::Try(_) | TaskCommand::List(_) | TaskCommand::Estimate(_) => return flags,
			TaskCommand::Show(args) => return flags.chain(&args.chain, env),
			TaskCommand::Run(args) => (&args.chain, &args.signer, &args.store),
			TaskCommand::Prepare(args) => (&args.chain, &args.signer, &args.store),
			TaskCommand::Submit(args) => (&args.chain, &args.signer, &args.store),
			TaskCommand::Watch(args) => (&args.chain, &args.signer, &args.store),
			TaskCommand::Fetch(args) => (&args.chain, &args.signer, &args.store),
			TaskCommand::Cancel(args) => (&args.chain, &args.signer, &args.store),
		};
		flags.chain(chain, env).rest(signer, store, env)
	}

	fn common(&self) -> &Common {
		match self {
			TaskCommand::Try(args) => &args.common,
			TaskCommand::Run(args) => &args.common,
			TaskCommand::Prepare(args) => &args.common,
			TaskCommand::Submit(args) => &args.common,
			TaskCommand::List(args) => &args.common,
			TaskCommand::Show(args) => &args.common,
			TaskCommand::Watch(args) => &args.common,
			TaskCommand::Fetch(args) => &args.common,
			TaskCommand::Cancel(args) => &args.common,
			TaskCommand::Estimate(args) => &args.common,
		}
	}
}

impl AccountCommand {
	/// Does what was typed. Says everything itself, errors as well.
	pub fn run(&self) -> Exit {
		let output = Output::new(self.common().output);
		drive(&output, async { account::run(self, &output).await.map(|()| Exit::Done) })
	}

	fn common(&self) -> &Common {
		match self {
			AccountCommand::New(args) => &args.common,
			AccountCommand::Import(args) => &args.common,
			AccountCommand::List(args) => &args.common,
			AccountCommand::Show(args) => &args.common,
			AccountCommand::Export(args) => &args.common,
		}
	}
}

/// Runs a command until it ends, or until Ctrl-C.
fn drive(output: &Output, command: impl Future<Output = exit::Result<Exit>>) -> Exit {
	let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
		Ok(runtime) => runtime,
		Err(error) => {
			output.fail(&format!("no threads can be started: {error}"), Exit::Failed as u8);
			return Exit::Failed;
		},
	};
	let result = runtime.block_on(async {
		tokio::select! {
			// In this order a password is asked for before Ctrl-C is caught, and ends that as everywhere.
			biased;
			result = command => result,
			_ = tokio::signal::ctrl_c() => Err(CommandError::Interrupted),
		}
	});
	output.clear();
	let exit = match result {
		Ok(exit) => exit,
		Err(error) => {
			output.fail(&error.to_string(), error.exit() as u8);
			error.exit()
		},
	};
	runtime.shutdown_timeout(GRACE);
	exit
}
