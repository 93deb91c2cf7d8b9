import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** The file in a folder that says which process has it. */
export const LOCK = 'lock';

/**
 * Makes a folder and holds it for this process, so that no two count and write the same; gives what lets it go again. What
 * a process holds that was killed is taken over.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, LOCK);
  const own = `${path}.${process.pid}`;
  const release = (): void => rmSync(path, { force: true });
  writeFileSync(own, String(process.pid));
  try {
    // A link appears with its content, or not at all where somebody has the folder.
    while (!hasDone(() => linkSync(own, path), 'EEXIST')) {
      const owner = ownerOf(path);
      if (owner !== undefined && isAlive(owner)) {
        const advice = `Stop it, or give this one a folder of its own with --state. If that is no hub, delete ${path}`;
        throw new Error(`process ${owner} is at work in ${folder}. ${advice}`);
      }
      takeAway(path, owner);
    }
  } finally {
    rmSync(own, { force: true });
  }
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

function isAlive(pid: number): boolean {
  // One that has our number lived before the machine, or its container, was started.
  return pid !== process.pid && hasDone(() => process.kill(pid, 0), 'ESRCH');
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
