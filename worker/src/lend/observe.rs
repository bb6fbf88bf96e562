//! What there is to see of the machine.

use std::{
	path::Path,
	time::{Duration, Instant},
};

use chrono::{Datelike, Local, Timelike};
use rustix::time::{clock_gettime, ClockId};
use starship_battery::{Manager, State};
use sysinfo::{
	get_current_pid, CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, RefreshKind, System,
};

use super::{
	container::{less, Container, CONTROL_GROUP},
	policy::Observation,
};

/// What the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
	/// Cores that this process may use.
	pub cores: u16,
	/// Memory, in MiB.
	pub memory_mib: u64,
}

impl Machine {
	/// This machine. In a container, what the container has.
	pub fn this() -> Self {
		let memory = RefreshKind::new().with_memory(MemoryRefreshKind::new().with_ram());
		let system = System::new_with_specifics(memory);
		let container = Container::at(Path::new(CONTROL_GROUP));
		let bytes = less(system.total_memory(), container.map(|container| container.total));
		let cores = std::thread::available_parallelism().map_or(1, usize::from);
		Machine { cores: u16::try_from(cores).unwrap_or(u16::MAX), memory_mib: bytes >> 20 }
	}
}

/// What a machine's instruments show, its clock and calendar among them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
	/// When, by a clock that never goes back.
	pub at: Duration,
	/// The share of all processor time that was taken since the last reading, by whomever, in percent.
	pub load: f64,
	/// How many cores that is a share of.
	pub cores: u32,
	/// Processor time of this process since it began.
	pub own_cpu: Duration,
	/// Memory that is free or can be freed, in MiB. In a container, no more than that leaves.
	pub available_mib: u64,
	/// Memory that this process has, in MiB.
	pub own_mib: u64,
	/// The day of the week: 0 is Monday.
	pub day: u8,
	/// The minute of the day, in local time.
	pub minute: u16,
	/// Whether the machine runs on battery.
	pub on_battery: bool,
}

/// A machine's instruments.
pub trait Senses {
	/// What they show now.
	fn read(&mut self) -> Reading;
}

/// Looks at a machine, time and again.
#[derive(Debug)]
pub struct Observer<S> {
	senses: S,
	last: Reading,
}

impl<S: Senses> Observer<S> {
	/// Begins to look.
	pub fn new(mut senses: S) -> Self {
		let last = senses.read();
		Observer { senses, last }
	}

	/// What there is to see, and when. The load is that since the last call: leave a second or more
	/// between.
	pub fn look(&mut self) -> (Duration, Observation) {
		let last = std::mem::replace(&mut self.last, self.senses.read());
		let now = &self.last;
		let all_cores = now.at.saturating_sub(last.at).as_secs_f64() * f64::from(now.cores.max(1));
		let own = now.own_cpu.saturating_sub(last.own_cpu).as_secs_f64();
		let own_load = own / all_cores.max(f64::EPSILON) * 100.0;
		let seen = Observation {
			others: (now.load - own_load).clamp(0.0, 100.0),
			available_mib: now.available_mib,
			own_mib: now.own_mib,
			day: now.day,
			minute: now.minute,
			on_battery: now.on_battery,
		};
		(now.at, seen)
	}
}

/// The instruments of the machine that this runs on.
#[derive(Debug)]
pub struct ThisMachine {
	system: System,
	/// `None` where there is no telling: then there is none.
	batteries: Option<Manager>,
	began: Instant,
}

impl ThisMachine {
	/// Makes them ready. The first load that they show may be none.
	pub fn new() -> Self {
		let cpu = CpuRefreshKind::new().with_cpu_usage();
		let memory = MemoryRefreshKind::new().with_ram();
		let system =
			System::new_with_specifics(RefreshKind::new().with_cpu(cpu).with_memory(memory));
		ThisMachine { system, batteries: Manager::new().ok(), began: Instant::now() }
	}

	fn own_memory(&mut self) -> u64 {
		let Ok(own) = get_current_pid() else { return 0 };
		let memory = ProcessRefreshKind::new().with_memory();
		self.system.refresh_process_specifics(own, memory);
		self.system.process(own).map_or(0, |process| process.memory())
	}

	/// A battery that is being emptied says that nothing else feeds the machine.
	fn on_battery(&self) -> bool {
		let batteries = self.batteries.as_ref().and_then(|manager| manager.batteries().ok());
		let mut known = batteries.into_iter().flatten().flatten();
		known.any(|battery| battery.state() == State::Discharging)
	}
}

impl Default for ThisMachine {
	fn default() -> Self {
		ThisMachine::new()
	}
}

impl Senses for ThisMachine {
	fn read(&mut self) -> Reading {
		self.system.refresh_cpu_usage();
		// At once, so that both are of the same time.
		let (at, own_cpu) = (self.began.elapsed(), cpu_time());
		self.system.refresh_memory_specifics(MemoryRefreshKind::new().with_ram());
		let container = Container::at(Path::new(CONTROL_GROUP));
		let available = container.map(|container| container.available);
		let time = Local::now();
		Reading {
			at,
			load: f64::from(self.system.global_cpu_info().cpu_usage()),
			cores: u32::try_from(self.system.cpus().len()).unwrap_or(u32::MAX),
			own_cpu,
			available_mib: less(self.system.available_memory(), available) >> 20,
			own_mib: self.own_memory() >> 20,
			day: u8::try_from(time.weekday().num_days_from_monday()).unwrap_or_default(),
			minute: u16::try_from(time.hour() * 60 + time.minute()).unwrap_or_default(),
			on_battery: self.on_battery(),
		}
	}
}

/// Processor time of this process.
fn cpu_time() -> Duration {
	Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn this_machine_is_seen() {
		let machine = Machine::this();
		assert!(machine.cores > 0 && machine.memory_mib > 0, "{machine:?}");
		let (_, seen) = Observer::new(ThisMachine::new()).look();
		assert!((0.0..=100.0).contains(&seen.others), "{seen:?}");
		assert!(seen.available_mib > 0 && seen.own_mib > 0, "{seen:?}");
		assert!(seen.available_mib <= machine.memory_mib, "{seen:?} of {machine:?}");
		assert!(seen.day < 7 && seen.minute < 24 * 60, "{seen:?}");
	}

	/// Instruments that show one thing after the other.
	struct Shown(std::vec::IntoIter<Reading>);

	impl Senses for Shown {
		fn read(&mut self) -> Reading {
			self.0.next().expect("no more is looked at")
		}
	}

	#[test]
	fn what_this_process_takes_is_not_the_load_of_others() {
		let shown = |at, load, own_cpu| Reading {
			at: Duration::from_secs(at),
			load,
			cores: 4,
			own_cpu: Duration::from_secs(own_cpu),
			available_mib: 1000,
			own_mib: 10,
			day: 6,
			minute: 59,
			on_battery: false,
		};
		// Seconds, the load of the four cores, processor seconds of this process, what others take.
		let cases = [
			(2, 75.0, 0, 75.0),
			(4, 75.0, 4, 25.0),
			(6, 100.0, 12, 0.0),
			// Clocks that don't tick at the same time are no negative load.
			(7, 50.0, 15, 0.0),
			(7, 50.0, 15, 50.0),
		];
		let readings = cases.map(|(at, load, own_cpu, _)| shown(at, load, own_cpu));
		let all = [vec![shown(0, 0.0, 0)], readings.to_vec()].concat();
		let mut observer = Observer::new(Shown(all.into_iter()));
		for (at, load, _, others) in cases {
			let (when, seen) = observer.look();
			assert_eq!(when, Duration::from_secs(at));
			assert_eq!(seen.others, others, "{load} % at {at} s");
			assert_eq!((seen.available_mib, seen.own_mib), (1000, 10));
			assert_eq!((seen.day, seen.minute, seen.on_battery), (6, 59, false));
		}
	}
}
