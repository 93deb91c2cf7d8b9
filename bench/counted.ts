import type { Observable } from 'rxjs';
import type { Flow } from 'sluice';

/** Counts what a flow gives until it completes; each message is acked. */
export function acked(flow: Flow<unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    flow.subscribe({
      next(message) {
        count += 1;
        message.ack();
      },
      error: (error: unknown) => reject(error as Error),
      complete: () => resolve(count),
    });
  });
}

/** Counts what a plain Observable gives until it completes. */
export function counted(observable: Observable<unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    observable.subscribe({
      next: () => void (count += 1),
      error: (error: unknown) => reject(error as Error),
      complete: () => resolve(count),
    });
  });
}
