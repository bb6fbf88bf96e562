//! What there is to see of the machine.

use std::time::{Duration, Instant};

use chrono::{Datelike, Local, Timelike};
use rustix::time::{clock_gettime, ClockId};
use starship_battery::{Manager, State};
use sysinfo::{
	get_current_pid, CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, RefreshKind, System,
};

use super::policy::Observation;

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
		let limit = system.cgroup_limits().map(|limits| limits.total_memory);
		let bytes = limit.unwrap_or(u64::MAX).min(system.total_memory());
		let cores = std::thread::available_parallelism().map_or(1, usize::from);
		Machine { cores: u16::try_from(cores).unwrap_or(u16::MAX), memory_mib: bytes >> 20 }
	}
}

/// Looks at the machine, time and again.
#[derive(Debug)]
pub struct Observer {
	system: System,
	/// `None` where there is no telling: then there is none.
	batteries: Option<Manager>,
	cores: f64,
	/// When it last looked, and the processor time of this process until then.
	last: (Instant, Duration),
}

impl Observer {
	/// Begins to look.
	pub fn new() -> Self {
		let cpu = CpuRefreshKind::new().with_cpu_usage();
		let memory = MemoryRefreshKind::new().with_ram();
		let system =
			System::new_with_specifics(RefreshKind::new().with_cpu(cpu).with_memory(memory));
		let cores = system.cpus().len().max(1) as f64;
		let batteries = Manager::new().ok();
		Observer { system, batteries, cores, last: (Instant::now(), cpu_time()) }
	}

	/// What there is to see. The load is that since the last call: leave a second or more between.
	pub fn look(&mut self) -> Observation {
		self.system.refresh_cpu_usage();
		self.system.refresh_memory_specifics(MemoryRefreshKind::new().with_ram());
		let all = f64::from(self.system.global_cpu_info().cpu_usage());
		let now = (Instant::now(), cpu_time());
		let wall = (now.0 - self.last.0).as_secs_f64().max(f64::EPSILON);
		let own = now.1.saturating_sub(self.last.1).as_secs_f64() / wall / self.cores * 100.0;
		self.last = now;
		let time = Local::now();
		Observation {
			others: (all - own).clamp(0.0, 100.0),
			available_mib: self.system.available_memory() >> 20,
			own_mib: self.own_memory() >> 20,
			day: u8::try_from(time.weekday().num_days_from_monday()).unwrap_or_default(),
			minute: u16::try_from(time.hour() * 60 + time.minute()).unwrap_or_default(),
			on_battery: self.on_battery(),
		}
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

impl Default for Observer {
	fn default() -> Self {
		Observer::new()
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
		let mut observer = Observer::new();
		let seen = observer.look();
		assert!((0.0..=100.0).contains(&seen.others), "{seen:?}");
		assert!(seen.available_mib > 0 && seen.own_mib > 0, "{seen:?}");
		assert!(seen.day < 7 && seen.minute < 24 * 60, "{seen:?}");
	}
}
