import { linkSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** The file in a folder that says which process has it. */
export const LOCK = 'lock';

/** The locks that this process has: the number in one does not say which of several hubs it is. */
const held = new Set<string>();

/**
 * Makes a folder and holds it for one hub, so that no two count and write the same; gives what lets it go again. What
 * a process holds that was killed is taken over.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  // Whatever it is called: a link to a folder is no other one.
  const path = join(realpathSync(folder), LOCK);
  const own = `${path}.${process.pid}`;
  let isReleased = false;
  const release = (): void => {
    // Somebody else may have it by now.
    if (isReleased) return;
    isReleased = true;
    held.delete(path);
    rmSync(path, { force: true });
  };
  writeFileSync(own, String(process.pid));
  try {
    // A link appears with its content, or not at all where somebody has the folder.
    while (!hasDone(() => linkSync(own, path), 'EEXIST')) {
      const owner = ownerOf(path);
      if (owner !== undefined && isAtWork(owner, path)) {
        const advice = `Stop it, or give this one a folder of its own with --state. If that is no hub, delete ${path}`;
        throw new Error(`process ${owner} is at work in ${folder}. ${advice}`);
      }
      takeAway(path, owner);
    }
  } finally {
    rmSync(own, { force: true });
  }
  held.add(path);
  process.once('exit', release);
  return () => {
    process.removeListener('exit', release);
    release();
  };
}

/** Only if it is still the same owner's: somebody else may have been quicker. */
function takeAway(path: string, owner: number | undefined): void {
  const aside = `${path}.${process.pid}.old`;
  if (!hasDone(() => renameSync(path, aside), 'ENOENT')) return;
  if (ownerOf(aside) !== owner) hasDone(() => linkSync(aside, path), 'EEXIST');
  rmSync(aside, { force: true });
}

/** Undefined where nobody holds it, or what is there names no process. */
function ownerOf(path: string): number | undefined {
  let text = '';
  hasDone(() => (text = readFileSync(path, 'utf8')), 'ENOENT');
  return /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

function isAtWork(pid: number, path: string): boolean {
  // One that has our number, and is not us, lived before the machine, or its container, was started.
  return pid === process.pid ? held.has(path) : hasDone(() => process.kill(pid, 0), 'ESRCH');
}

/** False where it failed with this code. */
function hasDone(work: () => unknown, code: string): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPERM' && code === 'ESRCH') return true;
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
    return false;
  }
}
