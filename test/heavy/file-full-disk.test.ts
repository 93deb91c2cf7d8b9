import { execFileSync } from 'node:child_process';
import { mkdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { isSluiceError, observe, run } from 'sluice';
import { fileSink, fileSource } from 'sluice/file';
import { temporaryFolder } from '../helpers/folder.js';

/** Why no small disk can be had here; `undefined` when one was made at `path`. */
function mountDisk(path: string, size: string): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `a tmpfs of ${size} cannot be mounted (${(error as Error).message.split('\n')[0] ?? ''})`;
  }
}

describe('a disk of 1 MiB that fills up', () => {
  it('refuses what has no room, keeps whole records, and takes the rest once there is room (F8, B16)', async (context) => {
    await using folder = await temporaryFolder();
    const disk = folder.of('disk');
    await mkdir(disk);
    const reason = mountDisk(disk, '1m');
    if (reason !== undefined) {
      console.warn(reason);
      context.skip(`no small disk: ${reason}`);
    }
    try {
      const ballast = `${disk}/ballast`;
      await writeFile(ballast, Buffer.alloc(700 * 1024));
      const lines = Array.from({ length: 6000 }, (_, at) => `${at} ${'x'.repeat(90)}`);
      const path = await folder.write('from', lines.map((line) => `${line}\n`).join(''));
      let refused = 0;
      let removed: Promise<void> | undefined;
      const sizes: Promise<void>[] = [];
      const stop = observe((event) => {
        if (event.type !== 'message.nacked') return;
        expect(event.then).toBe('requeue');
        expect(isSluiceError(event.reason, 'FILE_FULL')).toBe(true);
        refused += 1;
        if (refused === 1) {
          sizes.push(
            readFile(`${disk}/to`, 'utf8').then((text) => {
              expect(text.length).toBeGreaterThan(100_000);
              expect(text.endsWith('\n')).toBe(true);
            }),
          );
        }
        if (refused > 300) removed ??= unlink(ballast);
      });
      const source = fileSource({ path, offsets: folder.of('offset'), maxAttempts: 1000, requeueDelayMs: 5 });
      await run(source, fileSink({ path: `${disk}/to` })).done;
      stop();
      await Promise.all(sizes);
      expect(refused).toBeGreaterThan(300);
      const written = (await readFile(`${disk}/to`, 'utf8')).split('\n').slice(0, -1);
      expect(written).toHaveLength(lines.length);
      expect(new Set(written)).toEqual(new Set(lines));
      expect((await stat(`${disk}/to`)).size).toBe((await stat(path)).size);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
