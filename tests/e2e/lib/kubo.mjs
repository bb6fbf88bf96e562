// Kubo daemons: other people's IPFS nodes, on loopback alone, that know nobody.

import { execFileSync, spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createInterface } from 'node:readline';

import { deadline, MINUTE } from './time.mjs';

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** As the `test` profile: loopback addresses, free ports, no mDNS. Nor anybody to ask for others. */
const SETTINGS = {
	'AutoConf.Enabled': false,
	'Bootstrap': [],
	'DNS.Resolvers': {},
	'Ipns.DelegatedPublishers': [],
	'Routing.DelegatedRouters': [],
	'Routing.Type': 'dht',
};

/**
 * The URL of a server that passes all requests on, and each only after a while: a daemon at the other end of
 * a long line.
 * @param {string} url of a daemon's RPC
 * @param {number} milliseconds
 * @returns {Promise<{ url: string, close: () => void }>}
 */
export async function slowed(url, milliseconds) {
	const server = createServer((from, to) => {
		setTimeout(() => {
			const { method, headers } = from;
			const onward = request(new URL(from.url, url), { method, headers }, (answer) => {
				to.writeHead(answer.statusCode, answer.headers);
				answer.pipe(to);
			});
			onward.once('error', () => to.destroy());
			from.pipe(onward);
		}, milliseconds);
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const close = () => {
		server.close();
		server.closeAllConnections();
	};
	return { url: `http://127.0.0.1:${server.address().port}`, close };
}

export class Kubo {
	/**
	 * A running daemon with a repository of its own.
	 * @param {string} binary
	 * @param {string} repository a folder that does not exist yet
	 * @param {string} log
	 */
	static async start(binary, repository, log) {
		const kubo = new Kubo();
		kubo.env = { ...process.env, IPFS_PATH: repository, IPFS_TELEMETRY: 'off' };
		kubo.binary = binary;
		kubo.run('init', '--profile=test');
		for (const [name, value] of Object.entries(SETTINGS)) {
			kubo.run('config', '--json', name, JSON.stringify(value));
		}
		kubo.log = log;
		await kubo.#serve();
		/** Where its RPC is, as a multiaddress. */
		kubo.api = readFileSync(`${repository}/api`, 'utf8').trim();
		const [, port] = /\/tcp\/(\d+)/.exec(kubo.api);
		kubo.url = `http://127.0.0.1:${port}`;
		return kubo;
	}

	/** Kills it, as a crash does, and starts it again: its RPC is where it was, its peer at another port. */
	async restart() {
		await this.stop();
		this.run('config', 'Addresses.API', this.api);
		await this.#serve();
	}

	async #serve() {
		const child = spawn(this.binary, ['daemon'], { env: this.env, stdio: ['ignore', 'pipe', 'pipe'] });
		running.add(child);
		this.child = child;
		this.ended = new Promise((resolve) => child.once('exit', resolve));
		const file = createWriteStream(this.log, { flags: 'a' });
		child.stdout.pipe(file);
		child.stderr.pipe(file);
		const ready = new Promise((resolve, reject) => {
			createInterface({ input: child.stdout }).on('line', (line) => {
				if (line.includes('Daemon is ready')) resolve();
			});
			child.once('exit', (code) => reject(new Error(`Kubo ended with ${code}; its log is ${this.log}`)));
		});
		await deadline(ready, MINUTE, 'Kubo to be ready');
	}

	/** What a command of Kubo's own prints. */
	run(...args) {
		const stdio = ['ignore', 'pipe', 'ignore'];
		return execFileSync(this.binary, args, { env: this.env, stdio, encoding: 'utf8' });
	}

	async stop() {
		running.delete(this.child);
		this.child.kill('SIGKILL');
		await this.ended;
	}
}
