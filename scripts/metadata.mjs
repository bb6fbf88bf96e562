// Writes down the metadata of a node's runtime, in the newest version that client/ reads:
// metadata.mjs BINARY FOLDER FILE. The node runs on ports of its own, in FOLDER, for that moment.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { freePort } from '../tests/e2e/lib/network.mjs';

const VERSION = 16;
/** How long a node may take to start, in milliseconds. */
const PATIENCE = 120_000;

const [binary, folder, file] = process.argv.slice(2);
const [rpcPort, port] = [await freePort(), await freePort()];
const node = spawn(binary, [
	'masternode', '--dev', '--base-path', folder, '--rpc-port', String(rpcPort),
	'--listen-addr', `/ip4/127.0.0.1/tcp/${port}`, '--no-mdns', '--no-telemetry', '--no-prometheus',
], { stdio: ['ignore', 'ignore', 'pipe'] });
process.on('exit', () => node.kill('SIGKILL'));
node.on('exit', (code) => fail(`the node ended with ${code}`));
node.on('error', (error) => fail(`${binary} can't be started: ${error.message}`));
const tooLong = setTimeout(() => fail('the node does not answer'), PATIENCE);

createInterface({ input: node.stderr }).on('line', async (line) => {
	if (!line.includes('Running JSON-RPC server')) return;
	const argument = Buffer.alloc(4);
	argument.writeUInt32LE(VERSION);
	const answer = await call('state_call', [
		'Metadata_metadata_at_version', `0x${argument.toString('hex')}`,
	]).catch((error) => fail(error.message));
	writeFileSync(file, opaque(Buffer.from(answer.slice(2), 'hex')));
	clearTimeout(tooLong);
	node.removeAllListeners('exit');
	process.exit(0);
});

async function call(method, params) {
	const response = await fetch(`http://127.0.0.1:${rpcPort}`, {
		method: 'POST',
		headers: { 'Content-Type': 'application/json' },
		body: JSON.stringify({ id: 1, jsonrpc: '2.0', method, params }),
	});
	const { result, error } = await response.json();
	if (error) throw new Error(`${method}: ${error.message}`);
	return result;
}

/** The bytes in an `Option<Vec<u8>>`, in SCALE: a length above 16383 takes four bytes. */
function opaque(bytes) {
	if (bytes[0] !== 1) fail(`the runtime has no metadata of version ${VERSION}`);
	if ((bytes[1] & 3) !== 2) fail('the metadata has an odd length');
	return bytes.subarray(5, 5 + (bytes.readUInt32LE(1) >>> 2));
}

function fail(message) {
	console.error(message);
	process.exit(1);
}
