import { once } from 'node:events';
import process from 'node:process';
import { expect, it } from 'vitest';
import { webSocketServer } from 'sluice/websocket-server';
import { childProgram } from '../helpers/child-program.js';
import { until } from '../helpers/until.js';
import { bareClient, upgradeStatus } from '../helpers/websocket.js';

const HALF_OPEN = 10_000;
const SLOW = 500;
const MiB = 1_048_576;

/** Opens all of them: some say their headers letter by letter, the others begin and say no more. */
const FLOOD = `
  import { connect } from 'node:net';
  const port = Number(process.argv[2]);
  const begin = (text) => {
    const socket = connect(port, '127.0.0.1', () => void socket.write(text));
    return socket.on('error', () => undefined);
  };
  for (let at = 0; at < ${SLOW}; at += 1) {
    const socket = begin('GET / HTTP/1.1\\r\\n');
    const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write('x')), 200);
  }
  let opened = 0;
  const timer = setInterval(() => {
    for (let at = 0; at < 500; at += 1) begin('GET / HTT');
    opened += 500;
    if (opened < ${HALF_OPEN}) return;
    clearInterval(timer);
    console.log('all of them');
  }, 100);
`;

it('lets what floods the server and is no client yet cost a client nothing (G19, S06, S07)', async () => {
  await using server = await webSocketServer({ port: 0 });
  const url = `ws://127.0.0.1:${server.address.port}`;
  const { socket } = await bareClient(url);
  const program = await childProgram(FLOOD);
  const before = process.memoryUsage().rss;
  const flood = program.start(String(server.address.port));
  // In time of the processor: what else a machine has to do is no fault of the server.
  const answeredMs: number[] = [];
  let most = before;
  while (!flood.said.includes('all of them')) {
    const from = process.cpuUsage();
    const pong = once(socket, 'pong');
    socket.ping();
    await pong;
    const { user, system } = process.cpuUsage(from);
    answeredMs.push((user + system) / 1_000);
    most = Math.max(most, process.memoryUsage().rss);
  }
  answeredMs.sort((a, b) => a - b);
  const p99 = answeredMs[Math.floor(answeredMs.length * 0.99)] ?? Infinity;
  const grown = most - before;
  console.log(
    `flood: ${answeredMs.length} pings, p99 ${p99.toFixed(1)} ms of processor time, memory grew by ${Math.ceil(grown / MiB)} MiB`,
  );
  expect(p99).toBeLessThan(250);
  expect(grown).toBeLessThan(128 * MiB);
  flood.process.kill('SIGKILL');
  await flood.ended;
  // What was taken is free again, and somebody else gets in.
  await until(async () => expect(await upgradeStatus(url)).toBe(101));
  socket.terminate();
});
