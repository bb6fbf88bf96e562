// Workers that are killed at a certain point of their work, and start again.

import { rmSync } from 'node:fs';

import { SOON } from './chain.mjs';
import { deadline } from './time.mjs';

/** How many workers are killed until one was met where it should be. */
const TRIES = 5;

/** Whether a note has these fields. */
export function includes(note, wanted) {
	return Object.entries(wanted).every(([field, value]) => note[field] === value);
}

/**
 * Kills the first of some workers that has computed one subtask of a range, as long as the range is not done,
 * and starts it again. One that was faster goes on as well, and the next is waited for.
 * @param {import('./dgcs.mjs').RealWorker[]} workers
 * @param {number} task
 * @param {number} size of the task's ranges
 * @returns {Promise<{ worker: import('./dgcs.mjs').RealWorker, place: object }>} which one, and on which
 * range, as notes name it
 */
export async function killedMidRange(workers, task, size) {
	const within = (note, range) => {
		return includes(note, { event: 'computed', task }) && Math.floor(note.subtask / size) === range;
	};
	for (let tries = 0; tries < TRIES; tries++) {
		const { worker, found: started } = await killed(workers, 'compute something', (worker, note) => {
			if (!includes(note, { event: 'computed', task })) return;
			const range = Math.floor(note.subtask / size);
			return worker.said.findLast((each) => includes(each, { event: 'started', task, range, subtasks: size }));
		});
		const { range, round } = started;
		const since = worker.said.slice(worker.said.lastIndexOf(started));
		const computed = since.filter((note) => within(note, range)).length;
		worker.start();
		if (computed < size) return { worker, place: { task, range, round } };
	}
	throw new Error(`${TRIES} workers had done a whole range before they were killed: let a subtask take longer`);
}

/**
 * Kills the first of some workers that has committed to a range of a task, takes all from it that it keeps on
 * its disk, and starts it again.
 * @param {import('./dgcs.mjs').RealWorker[]} workers
 * @param {number} task
 * @returns {Promise<{ worker: import('./dgcs.mjs').RealWorker, place: object, since: number }>} which one, on
 * which range, as notes name it, and how much it had said by then
 */
export async function robbedOfVote(workers, task) {
	for (let tries = 0; tries < TRIES; tries++) {
		const { worker, found } = await killed(workers, 'commit to something', (_, note) => {
			return includes(note, { event: 'committed', task }) ? note : undefined;
		});
		const place = { task, range: found.range, round: found.round };
		const late = worker.said.some((note) => includes(note, { event: 'revealed', ...place }));
		if (!late) rmSync(worker.data, { recursive: true });
		const since = worker.said.length;
		worker.start();
		if (!late) return { worker, place, since };
	}
	throw new Error(`${TRIES} workers had revealed what they committed to before they were killed`);
}

/**
 * Kills the first of some workers of which a note to come is what is looked for.
 * @param {import('./dgcs.mjs').RealWorker[]} workers
 * @param {string} what they are to do
 * @param {(worker: import('./dgcs.mjs').RealWorker, note: any) => any} find what is looked for, or nothing
 */
function killed(workers, what, find) {
	const stops = [];
	const first = new Promise((resolve) => {
		for (const worker of workers) {
			const listen = (note) => {
				const found = find(worker, note);
				if (!found) return;
				stops.forEach((stop) => stop());
				resolve(worker.kill().then(() => ({ worker, found })));
			};
			worker.listeners.add(listen);
			stops.push(() => worker.listeners.delete(listen));
		}
	});
	const names = workers.map(({ name }) => name);
	return deadline(first, SOON, () => `one of ${names} to ${what}`).finally(() => stops.forEach((stop) => stop()));
}
