import { constants } from 'node:fs';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SluiceError } from 'sluice';
import { fileError, openFile, resolveInside } from '../../src/links/file.js';
import { temporaryFolder } from '../helpers/folder.js';

const errno = (code: string): Error => Object.assign(new Error(code), { code });

describe('fileError', () => {
  it.each([
    ['ENOENT', 'FILE_MISSING', false],
    ['ENOTDIR', 'FILE_MISSING', false],
    ['ENAMETOOLONG', 'FILE_MISSING', false],
    ['EACCES', 'FILE_DENIED', false],
    ['EPERM', 'FILE_DENIED', false],
    ['EROFS', 'FILE_DENIED', false],
    ['EISDIR', 'FILE_IS_DIRECTORY', false],
    ['ENXIO', 'FILE_NOT_REGULAR', false],
    ['ELOOP', 'FILE_LINK_LOOP', false],
    ['ENOSPC', 'FILE_FULL', true],
    ['EDQUOT', 'FILE_FULL', true],
    ['EFBIG', 'FILE_FULL', true],
    ['EIO', 'FILE_FAILED', true],
    ['EMFILE', 'FILE_FAILED', true],
  ])('tells %s as %s, retriable: %s (B16)', (code, expected, retriable) => {
    const cause = errno(code);
    const error = fileError(cause, 'data/a.txt');
    expect(error).toMatchObject({ code: expected, retriable, cause, details: { path: 'data/a.txt' } });
    expect(error.message).toContain("'data/a.txt'");
  });

  it('keeps an error of ours, and wraps what has no code', () => {
    const ours = new SluiceError('FILE_TRUNCATED', 'cut');
    expect(fileError(ours, 'a')).toBe(ours);
    expect(fileError(new Error('odd'), 'a')).toMatchObject({ code: 'FILE_FAILED', retriable: true });
  });
});

describe('openFile', () => {
  it('closes again what turns out to be no regular file', async () => {
    await using folder = await temporaryFolder();
    await mkdir(folder.of('dir'));
    const openFiles = async (): Promise<number> => (await readdir('/dev/fd')).length;
    const before = await openFiles();
    await expect(openFile(folder.of('dir'), { flags: constants.O_RDONLY })).rejects.toMatchObject({
      code: 'FILE_IS_DIRECTORY',
    });
    expect(await openFiles()).toBe(before);
  });

  it('follows links of the root itself', async () => {
    await using folder = await temporaryFolder();
    await mkdir(folder.of('real'));
    await symlink(folder.of('real'), folder.of('root'));
    await folder.write('real/a.txt', 'a');
    const root = folder.of('root');
    const { handle, stats } = await openFile(join(root, 'a.txt'), { flags: constants.O_RDONLY, root });
    expect(stats.size).toBe(1);
    await handle.close();
  });
});

describe('resolveInside', () => {
  it('takes a path from the root, and as it is without one', () => {
    expect(resolveInside('../a', undefined)).toBe('../a');
    expect(resolveInside('a/../b', '/data')).toBe('/data/b');
    expect(resolveInside('/data/b', '/data')).toBe('/data/b');
    for (const path of ['..', '../database', '/database', '/data', '.']) {
      expect(() => resolveInside(path, '/data')).toThrow(
        expect.objectContaining({ code: 'FILE_OUTSIDE_ROOT' }) as Error,
      );
    }
  });
});
