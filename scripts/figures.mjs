// What benchmarks have in common: processes measured from outside, and figures in parts of a bar.

import { readFileSync } from 'node:fs';

/** The ticks of a second in which Linux counts processor time, on every machine. */
const TICKS = 100;

/** Processor time of a process so far, in seconds. @param {number | 'self'} pid */
export const cpuTime = (pid) => ticks(pid, 11);

/** Processor time so far of all children of this process that have ended, in seconds. */
export const childrenCpuTime = () => ticks('self', 13);

/** Two neighbouring fields of a process's state, added up. They are counted behind its name. */
function ticks(pid, first) {
	const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return (Number(fields[first]) + Number(fields[first + 1])) / TICKS;
}

/**
 * Memory of a process in MiB.
 * @param {number} pid
 * @param {'VmRSS' | 'VmHWM'} what it has now, or the most that it ever had
 */
export function memory(pid, what) {
	const line = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm');
	// One that has ended and that nobody has waited for yet has none.
	return Number(line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

/** @param {number[]} values */
export function median(values) {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)];
}

/** A bar that a figure has to stay below. */
export const atMost = (bar) => ({ met: (value) => value <= bar, words: `at most ${bar}` });
/** A bar that a figure has to reach. */
export const atLeast = (bar) => ({ met: (value) => value >= bar, words: `at least ${bar}` });

/**
 * Prints a figure with its bar.
 * @param {string} what it is
 * @param {number} value
 * @param {{ met: (value: number) => boolean, words: string }} bar
 * @param {number} [digits] after the point
 */
export function figure(what, value, bar, digits = 2) {
	const verdict = bar.met(value) ? 'met' : 'MISSED';
	console.log(`  ${what}: ${value.toFixed(digits)} (${bar.words}: ${verdict})`);
}
