// The owner's commands and real workers: processes of the program under test.

import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { binary } from './network.mjs';

/** All running workers of this process, so that none outlives it. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A worker that computes. It can be killed and started again; its folder stays. */
export class RealWorker {
	/**
	 * @param {import('./network.mjs').Network} network
	 * @param {string} name of its folder and its log
	 * @param {string} uri its account's
	 * @param {string[]} [more] flags
	 */
	constructor(network, name, uri, more = []) {
		Object.assign(this, { name, uri, more });
		this.chain = [...network.nodes.values()].map((node) => node.url).join(',');
		this.data = path.join(network.folder, name);
		this.log = path.join(network.logs, `${name}.log`);
		/** What it said, as JSON. */
		this.said = [];
		this.listeners = new Set();
	}

	start() {
		this.child = spawn(binary(), [
			'worker', '--uri', this.uri, '--register', '--dedicated', '--output', 'json',
			'--chain', this.chain, '--data', this.data, '--listen', '/ip4/127.0.0.1/tcp/0',
			...this.more,
		], { stdio: ['ignore', 'pipe', 'pipe'] });
		running.add(this.child);
		const file = createWriteStream(this.log, { flags: 'a' });
		this.child.stdout.pipe(file);
		this.child.stderr.pipe(file);
		createInterface({ input: this.child.stdout }).on('line', (line) => {
			if (!line.startsWith('{')) return;
			const note = JSON.parse(line);
			this.said.push(note);
			this.listeners.forEach((listener) => listener(note));
		});
		this.ended = new Promise((resolve) => this.child.once('exit', resolve));
	}

	/** Ends it at once, as a crash does. */
	async kill() {
		running.delete(this.child);
		this.child.kill('SIGKILL');
		await this.ended;
	}
}

/**
 * Types a command of the owner's.
 * @param {string} chain the URL of a node
 * @param {string} data where the owner keeps what it knows
 * @param {string[]} args
 * @returns {Promise<{ code: number, said: any[] }>} its exit code and what it said, as JSON
 */
export async function dgcs(chain, data, args) {
	const child = spawn(binary(), [...args, '--output', 'json', '--data', data, '--chain', chain], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	running.add(child);
	const said = [];
	createInterface({ input: child.stdout }).on('line', (line) => said.push(JSON.parse(line)));
	const code = await new Promise((resolve) => child.once('close', resolve));
	running.delete(child);
	return { code, said };
}
